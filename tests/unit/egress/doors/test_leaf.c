/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "egress/client.h"
#include "egress/doors/leaf.h"

#define HOST "api.acme.net"
#define UPDATES 1000

static char host[] = HOST;
static BIO *authority; /* PEM: certificate and key */
static struct leaves *leaves;

/* An authority as cordon-egress --authority makes it. */
static int
setup(void **state)
{
	static const struct leaf_extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage, "critical,keyCertSign" },
		{ NID_subject_key_identifier, "hash" },
	};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	char *pem;

	(void)state;
	assert_true(leaf_begin(cert, key, 3600));
	X509_NAME *name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const uint8_t *)"ours", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		assert_true(leaf_extend(cert, cert, &extensions[i]));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	authority = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(authority, cert), 1);
	assert_int_equal(
	    PEM_write_bio_PrivateKey(authority, key, NULL, NULL, 0, NULL, NULL),
	    1);
	const long len = BIO_get_mem_data(authority, &pem);
	assert_int_equal(leaves_new(&leaves, pem, (size_t)len), 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	leaves = leaves_free(leaves);
	BIO_free(authority);
	return 0;
}

/* A client as egress' own are: their roots are the authority. */
static SSL *
client_make(struct egress *egress)
{
	char *pem;

	egress->ca_len = (size_t)BIO_get_mem_data(authority, &pem);
	egress->ca_pem = pem;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(client_trust(egress, context), 0);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL *ssl = SSL_new(context);
	SSL_CTX_free(context);
	assert_int_equal(SSL_set1_host(ssl, HOST), 1);
	assert_int_equal(SSL_set_tlsext_host_name(ssl, HOST), 1);
	SSL_set_connect_state(ssl);
	return ssl;
}

static void
join(SSL *client, SSL *server)
{
	BIO *ends[2];

	assert_int_equal(
	    BIO_new_bio_pair(&ends[0], 1u << 20, &ends[1], 1u << 20), 1);
	SSL_set_bio(client, ends[0], ends[0]);
	SSL_set_bio(server, ends[1], ends[1]);
	for (int i = 0; i < 8; i++) {
		SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	ERR_clear_error();
	assert_true(SSL_is_init_finished(client));
	assert_true(SSL_is_init_finished(server));
}

/* What is left to read after one SSL_read(), of many messages without data. */
static void
reads_one_message(SSL *reader, SSL *writer)
{
	char byte;

	for (int i = 0; i < UPDATES; i++) {
		assert_int_equal(
		    SSL_key_update(writer, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(writer), 1);
	}
	const size_t all = BIO_ctrl_pending(SSL_get_rbio(reader));
	assert_true(all > UPDATES);
	const int n = SSL_read(reader, &byte, 1);
	assert_int_equal(SSL_get_error(reader, n), SSL_ERROR_WANT_READ);
	assert_true(BIO_ctrl_pending(SSL_get_rbio(reader)) > all / 2);
	/* And it comes through all of them, to what is behind. */
	assert_int_equal(SSL_write(writer, "x", 1), 1);
	int reads = 1;
	while (SSL_read(reader, &byte, 1) != 1 && reads <= UPDATES)
		reads++;
	assert_int_equal(byte, 'x');
	assert_true(reads > UPDATES / 2);
}

static void
key_updates_are_read_one_at_a_time(void **state)
{
	struct egress egress = { .trust = NULL };
	SSL *client = client_make(&egress);
	SSL *server = leaves_accept(leaves, host, false);

	(void)state;
	assert_non_null(server);
	SSL_set_accept_state(server);
	join(client, server);
	assert_int_equal(SSL_get_verify_result(client), X509_V_OK);
	reads_one_message(server, client);
	reads_one_message(client, server);
	SSL_free(client);
	SSL_free(server);
	X509_STORE_free(egress.trust);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    key_updates_are_read_one_at_a_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
