/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/login/offer.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "ctl/host/table.h"
#include "ctl/login/redirect.h"
#include "ctl/text.h"

#define VARIANT sodium_base64_VARIANT_ORIGINAL

/* ---- reading --------------------------------------------------------------- */

/* Copies: what is looked at, proven and printed are the same bytes. */
static bool
texts_take(struct json_span raw_answer, struct offer *offer)
{
	const struct {
		const char *name;
		char *text;
		size_t size;
	} members[] = {
		{ "url", offer->url, sizeof(offer->url) },
		{ "issuer", offer->issuer, sizeof(offer->issuer) },
		{ "resource", offer->resource, sizeof(offer->resource) },
		{ "scope", offer->scope, sizeof(offer->scope) },
		{ "registration", offer->registration,
		    sizeof(offer->registration) },
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (json_string_copy(ctl_member(raw_answer, members[i].name),
			members[i].text, members[i].size, NULL) != 0)
			return false;
	return true;
}

static bool
is_proven(struct json_span raw_answer, const struct offer *offer,
    const uint8_t key[VAULT_PROOF_KEY])
{
	char text[sodium_base64_ENCODED_LEN(VAULT_PROOF, VARIANT)] = "";
	uint8_t proof[VAULT_PROOF], claimed[VAULT_PROOF];
	size_t n = 0;

	if (json_string_copy(ctl_member(raw_answer, "proof"), text,
		sizeof(text), NULL) != 0 ||
	    sodium_base642bin(claimed, sizeof(claimed), text, strlen(text),
		NULL, &n, NULL, VARIANT) != 0 ||
	    n != sizeof(claimed))
		return false;
	vault_offer_prove(key,
	    &(struct vault_offer){ .url = offer->url,
		.issuer = offer->issuer,
		.resource = offer->resource,
		.scope = offer->scope,
		.registration = offer->registration },
	    proof);
	return sodium_memcmp(proof, claimed, sizeof(proof)) == 0;
}

/* https, back to us, with a state. */
static bool
url_take(struct offer *offer, const char *redirect_uri)
{
	static struct addr_url url;
	char back[128];
	const char *query = strchr(offer->url, '?');

	if (addr_url_parse(offer->url, strlen(offer->url), &url, NULL) != 0 ||
	    url.scheme != ADDR_HTTPS || query == NULL)
		return false;
	const size_t len = strlen(++query);
	return redirect_query_find(
		   query, len, "redirect_uri", back, sizeof(back)) == 1 &&
	    strcmp(back, redirect_uri) == 0 &&
	    redirect_query_find(
		query, len, "state", offer->state, sizeof(offer->state)) == 1 &&
	    offer->state[0] != '\0';
}

bool
offer_read(struct json_span raw_answer, const uint8_t key[VAULT_PROOF_KEY],
    const char *redirect_uri, struct offer *offer, const char **why)
{
	*why = "the host's store has not proven the address to sign in at, so "
	       "it is not shown: something between it and this command has "
	       "changed the answer, or made it up. Restart the host, look "
	       "into its log, and begin again";
	if (!texts_take(raw_answer, offer) ||
	    !is_proven(raw_answer, offer, key))
		return false;
	*why = "the host named no address to sign in at";
	if (!url_take(offer, redirect_uri))
		return false;
	offer->seconds = ctl_member_number(raw_answer, "expires_in");
	if (offer->seconds == 0 || offer->seconds > OFFER_SECONDS_MAX)
		offer->seconds = OFFER_SECONDS_MAX;
	return true;
}

/* ---- showing --------------------------------------------------------------- */

static void
line_print(const char *title, const char *text)
{
	printf("  %-10s", title);
	if (text[0] == '\0')
		putchar('-');
	ctl_line_print(stdout, text, strlen(text));
	putchar('\n');
}

/* Who is the client, there. */
static const char *
registration_words(const char *registration)
{
	static const struct {
		const char *word, *text;
	} words[] = { { "dynamic", "registered there now" },
		{ "document", "by its document" }, { "given", "as given" } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(registration, words[i].word) == 0)
			return words[i].text;
	return "-";
}

void
offer_print(const struct offer *offer, const char *server)
{
	printf("Signing in to %s:\n", server);
	line_print("issuer", offer->issuer);
	line_print("resource", offer->resource);
	line_print("scope", offer->scope);
	printf(
	    "  %-10s%s\n", "client", registration_words(offer->registration));
	printf("\nOpen this in a browser, if that issuer is whom you mean; it "
	       "is good for %" PRIu64 " minutes:\n\n",
	    (offer->seconds + 59) / 60);
	ctl_line_print(stdout, offer->url, strlen(offer->url));
	puts("\n");
}

void
offer_print_json(const struct offer *offer)
{
	const struct {
		const char *before, *text;
	} members[] = { { "{\"url\":", offer->url },
		{ ",\"issuer\":", offer->issuer },
		{ ",\"resource\":", offer->resource },
		{ ",\"scope\":", offer->scope },
		{ ",\"registration\":", offer->registration } };
	struct json_out out;

	json_out_init(&out, 64u << 10);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_out_text(&out, members[i].before);
		json_out_string(&out, members[i].text, strlen(members[i].text));
	}
	json_out_text(&out, ",\"expires_in\":");
	json_out_uint(&out, offer->seconds);
	json_out_text(&out, "}");
	if (json_out_status(&out) == 0)
		ctl_json_line_print(stdout, out.bytes, out.len);
	json_out_fini(&out);
}
