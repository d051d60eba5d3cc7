/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/serve/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fd.h"

#define PEM_MAX (1u << 20)

struct pem {
	uint8_t *bytes; /* owned; wiped */
	size_t len;
};

static void
pem_fini(struct pem *pem)
{
	if (pem->bytes != NULL)
		explicit_bzero(pem->bytes, pem->len);
	free(pem->bytes);
}

static int
pem_read(struct pem *pem, const char *path, mode_t refused, struct err *err)
{
	struct stat status;
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, &status) < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if ((status.st_mode & refused) != 0)
		return err_set(err, -EPERM,
		    "%s can be read by others, and it is a key: chmod 600 it",
		    path);
	const int r = fd_read_all(fd, PEM_MAX, &pem->bytes, &pem->len);
	return r < 0 ? err_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/* As the gateway will load it. */
static int
pair_check(const struct pem *cert, const struct pem *key, const char *cert_path,
    const char *key_path, struct err *err)
{
	const gnutls_datum_t cert_text = { cert->bytes,
		(unsigned int)cert->len };
	const gnutls_datum_t key_text = { key->bytes, (unsigned int)key->len };
	gnutls_certificate_credentials_t credentials;

	if (gnutls_certificate_allocate_credentials(&credentials) != 0)
		return err_set(err, -ENOMEM, "no memory");
	const int r = gnutls_certificate_set_x509_key_mem(
	    credentials, &cert_text, &key_text, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(credentials);
	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return err_set(err, -EINVAL,
		    "%s is not the key of the certificate in %s", key_path,
		    cert_path);
	if (r < 0)
		return err_set(err, -EINVAL,
		    "%s and %s are no certificate and key in PEM: %s",
		    cert_path, key_path, gnutls_strerror(r));
	return 0;
}

static int
pair_seal(const struct pem *cert, const struct pem *key, int *tls_fd)
{
	const size_t len = cert->len + 1 + key->len;
	uint8_t *both = malloc(len);

	if (both == NULL)
		return -ENOMEM;
	memcpy(both, cert->bytes, cert->len);
	both[cert->len] = '\n';
	memcpy(both + cert->len + 1, key->bytes, key->len);
	const int r = fd_memfd_seal("cordon-tls", both, len, tls_fd);
	explicit_bzero(both, len);
	free(both);
	return r;
}

int
ctl_tls_read(
    const char *cert_path, const char *key_path, int *tls_fd, struct err *err)
{
	struct pem cert = { 0 }, key = { 0 };

	int r = pem_read(&cert, cert_path, 0, err);
	if (r == 0)
		r = pem_read(&key, key_path, 077, err);
	if (r == 0)
		r = pair_check(&cert, &key, cert_path, key_path, err);
	if (r == 0 && (r = pair_seal(&cert, &key, tls_fd)) < 0)
		err_set(err, r, "no memory file for the key: %s", strerror(-r));
	pem_fini(&cert);
	pem_fini(&key);
	return r;
}
