/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/folder.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/fd.h"
#include "ctl/serve/tls.h"

/* A key and a certificate that it signed itself, as PEM files. */
static void
pair_make(const char *cert_path, const char *key_path)
{
	const time_t now = time(NULL);
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t text;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
	    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
	    0);
	assert_int_equal(gnutls_x509_crt_init(&cert), 0);
	assert_int_equal(gnutls_x509_crt_set_version(cert, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(cert, "1", 1), 0);
	assert_int_equal(
	    gnutls_x509_crt_set_dn(cert, "CN=tools.example", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_key(cert, key), 0);
	assert_int_equal(
	    gnutls_x509_crt_set_subject_alt_name(
		cert, GNUTLS_SAN_DNSNAME, "tools.example", 13, GNUTLS_FSAN_SET),
	    0);
	gnutls_x509_crt_set_activation_time(cert, now - 60);
	gnutls_x509_crt_set_expiration_time(cert, now + 3600);
	assert_int_equal(
	    gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(
	    gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text), 0);
	file_make(cert_path, (const char *)text.data);
	gnutls_free(text.data);
	assert_int_equal(
	    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), 0);
	file_make(key_path, (const char *)text.data);
	assert_int_equal(chmod(key_path, 0600), 0);
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
}

static void
both_go_into_one_sealed_file(void **state)
{
	uint8_t *bytes = NULL;
	struct err err;
	size_t len;
	int fd = -1;

	(void)state;
	pair_make("a.pem", "a.key");
	if (ctl_tls_read("a.pem", "a.key", &fd, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(fd_read_all(fd, 1 << 20, &bytes, &len), 0);
	const char *cert = strstr((char *)bytes, "BEGIN CERTIFICATE");
	const char *key = strstr((char *)bytes, "PRIVATE KEY");
	assert_true(cert != NULL && key != NULL && cert < key);
	assert_int_equal(write(fd, "x", 1), -1);
	free(bytes);
	close(fd);
}

static void
what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *cert, *key, *said;
	} cases[] = {
		{ "a.pem", "b.key", "b.key is not the key" },
		{ "a.key", "a.key", "are no certificate and key" },
		{ "none.pem", "a.key", "none.pem: No such file" },
		{ "a.pem", "none.key", "none.key: No such file" },
		{ "text", "a.key", "are no certificate and key" },
		{ "a.pem", "open.key", "chmod 600" },
	};

	(void)state;
	pair_make("a.pem", "a.key");
	pair_make("b.pem", "b.key");
	pair_make("open.pem", "open.key");
	assert_int_equal(chmod("open.key", 0640), 0);
	file_make("text", "hello");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { "" };
		int fd = -1;

		assert_true(
		    ctl_tls_read(cases[i].cert, cases[i].key, &fd, &err) < 0);
		assert_int_equal(fd, -1);
		if (strstr(err.text, cases[i].said) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		folder_test(both_go_into_one_sealed_file),
		folder_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
