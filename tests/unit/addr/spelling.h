/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Spellings of hosts that public SSRF corpora try, shared by the tests of
 * hosts and URLs. What each is read as elsewhere is asked of the C library
 * (getaddrinfo with AI_NUMERICHOST, which reads what inet_aton reads): the
 * control that the spelling is an attack at all.
 */

#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "addr/ip.h"
#include "base/auto.h"

/* What a deny-list on the text looks for. */
static inline bool
naive_is_inside(const char *host)
{
	static const char *const beginnings[] = { "127.0.0.1", "localhost",
		"10.", "192.168.", "172.16.", "169.254.", "[::1]", "[::]",
		"0.0.0.0" };

	for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
		if (strncasecmp(host, beginnings[i], strlen(beginnings[i])) ==
		    0)
			return true;
	return false;
}

/* Whether the C library takes the text for an address that is inside. */
static inline bool
libc_dials_inside(const char *host)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	struct addr_ip ip;
	bool is_inside = false;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	if (addr_ip_from(found->ai_addr, &ip))
		is_inside = addr_refused(&ip, NULL) != NULL;
	freeaddrinfo(found);
	return is_inside;
}

/* Pass naive_is_inside(), and lead inside where the C library reads them. */
static const char *const numeric_spellings[] = {
	"2130706433", "017700000001", "0x7f000001", "0X7F000001", "0x7F.1",
	"0x7f.0x0.0x0.0x1", "0x7f.0.0.1", "0177.0.0.1", "0177.0.0.01",
	"00177.0.0.1", "0177.1", "127.1", "127.0.1", "127.0x0.1", "127.0.0x1",
	"127.000000.000000.1", "0", "0x0", "00", "0.0", "0.0.0",
	"2852039166", /* 169.254.169.254 */
	"0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376",
	"0251.254.169.254", "025177524776", "0xa9.254.0251.254", "169.16689662",
	"0xa9.16689662", "3232235521", /* 192.168.0.1 */
	"0xc0a80001", "192.11010049", "167772161", /* 10.0.0.1 */
	"012.0.0.1", "0xa.1", "0xac100001", /* 172.16.0.1 */
	"2886729729", "0254.020.0.1", "1684301000", /* 100.100.100.200 */
	"100.6579400", "2822734096", /* 168.63.129.16 */
};

/* No host, in whatever way. */
static const char *const bad_hosts[] = {
	"",
	".",
	"..",
	"example.com.",
	"example.com..",
	".example.com",
	"example..com",
	"localhost.",
	"127.0.0.1.",
	"127.0.0.1..",
	".127.0.0.1",
	"127..0.0.1",
	"127.0.0.1.1",
	"127.0.0.256",
	"256.256.256.256",
	"425.510.425.510", /* each more by 256 */
	"127.0.0.-1",
	"+127.0.0.1",
	"127.0.0.1:80",
	"127.0.0.1/8",
	"4294967297",
	"2130706433.",
	"0x",
	"0x.0x.0x.0x",
	"1.2.3.0x4",
	"1.2.3.4x.5",
	"example.0x10",
	"example.0",
	"foo.123",
	"[127.0.0.1]",
	"[localhost]",
	"[example.com]",
	"[]",
	"[",
	"]",
	"[::1",
	"::1]",
	"::1",
	"::",
	"[::1]]",
	"[[::1]]",
	"[::1].",
	"[::1]:80",
	"[::1]x",
	"x[::1]",
	"[::1%lo]",
	"[::1%25lo]",
	"[fe80::1%eth0]",
	"[fe80::1%25eth0]",
	"[::1/128]",
	"[ ::1]",
	"[::1 ]",
	"[v1.fe80::a]",
	"[vF.1]",
	"[::127.0.0.256]",
	"[::127.1]",
	"[::0177.0.0.1]",
	"[::0x7f.0.0.1]",
	"[::2130706433]",
	"[::ffff:127.1]",
	"[::ffff:0x7f000001]",
	"[0:0:0:0:0:0:0:0:1]",
	"[0:0:0:0:0:0:1]",
	"[1::2::3]",
	"[:1]",
	"[1:]",
	"[:::]",
	"[::00001]",
	"[::g]",
	"[\xef\xbc\x9a\xef\xbc\x9a\x31]",
	/* digits and dots that are none */
	"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", /* fullwidth 127 */
	"\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1", /* circled 127 */
	"\xe2\x91\xa0\xe2\x91\xa5\xe2\x91\xa8\xe3\x80\x82\xe2\x91\xa1",
	"\xe2\x93\x94xample.com", /* circled e */
	"127\xe3\x80\x82"
	"0\xe3\x80\x82"
	"0\xe3\x80\x82"
	"1",
	"127\xef\xbc\x8e"
	"0\xef\xbc\x8e"
	"0\xef\xbc\x8e"
	"1",
	"127\xef\xbd\xa1"
	"0\xef\xbd\xa1"
	"0\xef\xbd\xa1"
	"1",
	"\xd9\xa1\xd9\xa2\xd9\xa7.0.0.1", /* Arabic-Indic */
	"local\xc2\xadhost", /* soft hyphen */
	"local\xe2\x80\x8dhost", /* zero width joiner */
	"local\xe2\x80\x8bhost", /* zero width space */
	"\xef\xbb\xbflocalhost", /* byte order mark */
	"\xe2\x80\xae"
	"tsohlacol", /* right to left */
	"l\xd0\xbe"
	"calhost", /* Cyrillic o */
	"\xc2\xab.example.com",
	"b\xc3\xbc"
	"cher.example",
	"\x80.com",
	"\xff.com",
	/* bytes */
	" example.com",
	"example.com ",
	"exam ple.com",
	"example.com\t",
	"example.com\n",
	"example.com\r",
	"example.com\r\nHost: x",
	"\x0b"
	"example.com",
	"\x7f"
	"example.com",
	"example.com\\",
	"example.com\\@127.0.0.1",
	"example.com#",
	"example.com?",
	"example.com/",
	"user@example.com",
	"user:pw@example.com",
	"example.com:80",
	"example.com:",
	"example%2ecom",
	"example.com%00.evil.org",
	"%31%32%37.0.0.1",
	"%6c%6f%63%61%6c%68%6f%73%74",
	"127.0.0.1%0d%0a",
	"exa(mple).com",
	"exa<mple.com",
	"exa\"mple.com",
	"exa'mple.com",
	"exa*mple.com",
	"*.example.com",
	"exa,mple.com",
	"exa;mple.com",
	"exa!mple.com",
	"exa$mple.com",
	"exa&mple.com",
	"exa+mple.com",
	"exa=mple.com",
	"exa~mple.com",
	"exa^mple.com",
	"exa`mple.com",
	"exa{mple}.com",
	"exa|mple.com",
	/* labels */
	"-example.com",
	"example-.com",
	"example.-com",
	"example.com-",
	"a.-.b",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
};
