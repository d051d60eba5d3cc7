/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "egress/doors/authority.h"
#include "egress/doors/leaf.h"

#define YEARS 10
#define DAY_S (24l * 3600)
#define LEFT_S (30 * DAY_S)

/* Whether both files are there, belong together, and last a while. */
static bool
pair_is_good(int folder_fd)
{
	auto_close int key_fd =
	    openat(folder_fd, "key.pem", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_close int cert_fd =
	    openat(folder_fd, "cert.pem", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (key_fd < 0 || cert_fd < 0)
		return false;
	auto_fclose FILE *key_file = fdopen(fd_steal(&key_fd), "re");
	auto_fclose FILE *cert_file = fdopen(fd_steal(&cert_fd), "re");
	if (key_file == NULL || cert_file == NULL)
		return false;
	EVP_PKEY *key = PEM_read_PrivateKey(key_file, NULL, NULL, NULL);
	X509 *cert = PEM_read_X509(cert_file, NULL, NULL, NULL);
	time_t soon = time(NULL) + LEFT_S;
	const bool is_good = key != NULL && cert != NULL &&
	    X509_check_private_key(cert, key) == 1 &&
	    X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0;
	EVP_PKEY_free(key);
	X509_free(cert);
	ERR_clear_error();
	return is_good;
}

/* Two hosts' authorities are told apart by the serial number in the name. */
static bool
name_set(X509 *cert)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = number == NULL ? NULL : BN_bn2hex(number);
	X509_NAME *name = X509_get_subject_name(cert);
	char text[64];
	bool is_good = false;

	if (hex != NULL) {
		snprintf(text, sizeof(text), "cordon authority %.8s", hex);
		is_good = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
			      (const unsigned char *)text, -1, -1, 0) == 1 &&
		    X509_set_issuer_name(cert, name) == 1;
	}
	OPENSSL_free(hex);
	BN_free(number);
	return is_good;
}

static bool
cert_fill(X509 *cert, EVP_PKEY *key)
{
	static const struct leaf_extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage, "critical,keyCertSign" },
		{ NID_subject_key_identifier, "hash" },
	};

	if (!leaf_begin(cert, key, YEARS * 365 * DAY_S) || !name_set(cert))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		if (!leaf_extend(cert, cert, &extensions[i]))
			return false;
	return X509_sign(cert, key, EVP_sha256()) > 0;
}

/* The bytes of a memory BIO become a file, whole or not at all. */
static int
file_put(int folder_fd, const char *name, mode_t mode, BIO *bio)
{
	char *bytes, temporary[32];
	const long len = BIO_get_mem_data(bio, &bytes);

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	unlinkat(folder_fd, temporary, 0);
	auto_close int fd = openat(folder_fd, temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, bytes, (size_t)len);
	if (r == 0 &&
	    (fchmod(fd, mode) != 0 || fsync(fd) != 0 ||
		renameat(folder_fd, temporary, folder_fd, name) != 0))
		r = -errno;
	if (r != 0)
		unlinkat(folder_fd, temporary, 0);
	return r;
}

static int
pair_put(int folder_fd, EVP_PKEY *key, X509 *cert)
{
	BIO *key_bio = BIO_new(BIO_s_secmem()),
	    *cert_bio = BIO_new(BIO_s_mem());
	int r = -ENOMEM;

	if (key_bio != NULL && cert_bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(
		key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	    PEM_write_bio_X509(cert_bio, cert) == 1)
		r = file_put(folder_fd, "key.pem", 0600, key_bio);
	if (r == 0)
		r = file_put(folder_fd, "cert.pem", 0644, cert_bio);
	BIO_free(key_bio);
	BIO_free(cert_bio);
	return r;
}

static int
pair_make(int folder_fd)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	int r = -EIO;

	if (key != NULL && cert != NULL && cert_fill(cert, key))
		r = pair_put(folder_fd, key, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	return r;
}

int
authority_make(const char *folder, struct err *err)
{
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return err_set(err, -errno, "%s cannot be made: %s", folder,
		    strerrordesc_np(errno));
	auto_close int folder_fd =
	    open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Two that begin at once make one. */
	if (folder_fd < 0 || flock(folder_fd, LOCK_EX) != 0)
		return err_set(err, -errno, "%s cannot be opened: %s", folder,
		    strerrordesc_np(errno));
	const int r = pair_is_good(folder_fd) ? 0 : pair_make(folder_fd);
	if (r != 0)
		err_set(err, r, "no authority could be made in %s: %s", folder,
		    strerrordesc_np(-r));
	return r;
}
