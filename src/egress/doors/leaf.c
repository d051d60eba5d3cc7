/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "addr/url.h"
#include "base/auto.h"
#include "base/sorted.h"
#include "egress/doors/leaf.h"

#define LEAVES_MAX 512u /* kept; then all are made anew */
#define DAY_S (24l * 3600)
#define LEAF_S (14 * DAY_S)
#define FRESH_S (7 * DAY_S) /* then a new one is made */
#define SERIAL_BYTES 16

struct leaf {
	X509 *cert;
	time_t made;
	char host[];
};

struct leaves {
	SSL_CTX *context;
	EVP_PKEY *authority_key;
	X509 *authority;
	EVP_PKEY *key; /* of every leaf of this process */
	struct sorted by_host;
};

/* ---- certificates --------------------------------------------------------- */

static bool
serial_set(X509 *cert)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *number = NULL;

	if (RAND_bytes(bytes, sizeof(bytes)) == 1) {
		bytes[0] = (uint8_t)(bytes[0] & 0x7f) | 0x40;
		number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	}
	const bool is_good = number != NULL &&
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
	BN_free(number);
	return is_good;
}

bool
leaf_begin(X509 *cert, EVP_PKEY *key, long seconds)
{
	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	    serial_set(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), seconds) != NULL &&
	    X509_set_pubkey(cert, key) == 1;
}

bool
leaf_extend(X509 *cert, X509 *issuer, const struct leaf_extension *extension)
{
	X509V3_CTX context;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *made = X509V3_EXT_conf_nid(
	    NULL, &context, extension->nid, extension->value);
	const bool is_good = made != NULL && X509_add_ext(cert, made, -1) == 1;
	X509_EXTENSION_free(made);
	return is_good;
}

static bool
leaf_fill(struct leaves *leaves, X509 *cert, const char *host, bool is_ip)
{
	/* Characters of a host name: none that the text could be read
	 * another way by. */
	char name[ADDR_HOST_MAX + 16];
	snprintf(
	    name, sizeof(name), "critical,%s:%s", is_ip ? "IP" : "DNS", host);
	const struct leaf_extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "serverAuth" },
		{ NID_subject_alt_name, name },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid" },
	};

	if (!leaf_begin(cert, leaves->key, LEAF_S) ||
	    X509_set_issuer_name(
		cert, X509_get_subject_name(leaves->authority)) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		if (!leaf_extend(cert, leaves->authority, &extensions[i]))
			return false;
	return X509_sign(cert, leaves->authority_key, EVP_sha256()) > 0;
}

static void
leaf_free(struct leaf *leaf)
{
	X509_free(leaf->cert);
	free(leaf);
}

static struct leaf *
leaf_new(struct leaves *leaves, const char *host, bool is_ip)
{
	const size_t size = strlen(host) + 1;
	struct leaf *leaf = malloc(sizeof(*leaf) + size);

	if (leaf == NULL)
		return NULL;
	leaf->made = time(NULL);
	memcpy(leaf->host, host, size);
	leaf->cert = X509_new();
	if (leaf->cert != NULL && leaf_fill(leaves, leaf->cert, host, is_ip))
		return leaf;
	leaf_free(leaf);
	return NULL;
}

/* ---- those that are kept -------------------------------------------------- */

static int
host_compare(const void *key, const void *item)
{
	return strcmp(key, ((const struct leaf *)item)->host);
}

static void
leaves_drop(struct leaves *leaves)
{
	for (size_t i = 0; i < leaves->by_host.n; i++)
		leaf_free(leaves->by_host.items[i]);
	leaves->by_host.n = 0;
}

static X509 *
leaf_get(struct leaves *leaves, const char *host, bool is_ip)
{
	struct leaf *leaf = sorted_find(&leaves->by_host, host);

	if (leaf != NULL && time(NULL) - leaf->made < FRESH_S)
		return leaf->cert;
	if (leaf != NULL)
		leaf_free(sorted_remove(&leaves->by_host, host));
	if (leaves->by_host.n == LEAVES_MAX)
		leaves_drop(leaves);
	leaf = leaf_new(leaves, host, is_ip);
	if (leaf == NULL)
		return NULL;
	if (sorted_add(&leaves->by_host, host, leaf) != 0) {
		leaf_free(leaf);
		return NULL;
	}
	return leaf->cert;
}

/* ---- TLS ------------------------------------------------------------------ */

/* Its own reader of the hello must have found the same name as ours. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const char *raw_name =
	    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const char *host = SSL_get_app_data(ssl);

	(void)arg;
	if (raw_name == NULL ||
	    (host != NULL && strcasecmp(raw_name, host) == 0))
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_protocols(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
    const unsigned char *offered, unsigned offered_len, void *arg)
{
	static const unsigned char http1[] = "\x08http/1.1";
	unsigned char *found;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, chosen_len, http1, sizeof(http1) - 1,
		offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = found;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_options(context,
	    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/* One message a read: who sends nothing but key updates would be read
	 * for as long as they come. */
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_tlsext_servername_callback(context, on_name);
	SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
	return context;
}

SSL *
leaves_accept(struct leaves *leaves, char *host, bool is_ip)
{
	ERR_clear_error();
	X509 *cert = leaf_get(leaves, host, is_ip);
	SSL *ssl = cert == NULL ? NULL : SSL_new(leaves->context);

	if (ssl == NULL)
		return NULL;
	SSL_set_app_data(ssl, host);
	SSL_set_accept_state(ssl);
	if (SSL_use_certificate(ssl, cert) == 1 &&
	    SSL_use_PrivateKey(ssl, leaves->key) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static bool
authority_read(struct leaves *leaves, const char *pem, size_t len)
{
	BIO *for_key = BIO_new_mem_buf(pem, (int)len);
	BIO *for_cert = BIO_new_mem_buf(pem, (int)len);

	if (for_key != NULL && for_cert != NULL) {
		leaves->authority_key =
		    PEM_read_bio_PrivateKey(for_key, NULL, NULL, NULL);
		leaves->authority =
		    PEM_read_bio_X509(for_cert, NULL, NULL, NULL);
	}
	BIO_free(for_key);
	BIO_free(for_cert);
	return leaves->authority_key != NULL && leaves->authority != NULL &&
	    X509_check_private_key(leaves->authority, leaves->authority_key) ==
	    1;
}

int
leaves_new(struct leaves **leavesp, const char *pem, size_t len)
{
	struct leaves *leaves = calloc(1, sizeof(*leaves));

	if (leaves == NULL)
		return -ENOMEM;
	ERR_clear_error();
	leaves->by_host.compare = host_compare;
	leaves->context = context_new();
	leaves->key = EVP_EC_gen("P-256");
	const bool is_good = authority_read(leaves, pem, len);
	if (leaves->context == NULL || leaves->key == NULL || !is_good) {
		leaves_free(leaves);
		return is_good ? -ENOMEM : -EINVAL;
	}
	*leavesp = leaves;
	return 0;
}

struct leaves *
leaves_free(struct leaves *leaves)
{
	if (leaves == NULL)
		return NULL;
	leaves_drop(leaves);
	sorted_fini(&leaves->by_host);
	SSL_CTX_free(leaves->context);
	EVP_PKEY_free(leaves->key);
	EVP_PKEY_free(leaves->authority_key);
	X509_free(leaves->authority);
	free(leaves);
	return NULL;
}
