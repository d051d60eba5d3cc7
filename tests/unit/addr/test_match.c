/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "addr/rule.h"

struct set {
	struct addr_rule rules[16];
	size_t n;
};

static void
add(struct set *set, const char *text, unsigned int flags, const char *methods)
{
	struct addr_rule rules[2];
	struct err err;
	size_t n = 0;

	if (addr_rule_parse(text, strlen(text), flags, rules, &n, &err) != 0)
		fail_msg("%s %s", text, err.text);
	for (size_t i = 0; i < n; i++) {
		if (methods != NULL)
			assert_true(
			    addr_methods_parse(methods, &rules[i].methods));
		set->rules[set->n++] = rules[i];
	}
}

/* The text of the rule that allows it; "": none does. */
static const char *
ask(const struct set *set, const char *method, const char *raw_url,
    struct err *why)
{
	static char text[ADDR_RULE_TEXT_MAX];
	struct addr_url url;

	if (addr_url_parse(raw_url, strlen(raw_url), &url, why) != 0)
		fail_msg("%s: %s", raw_url, why->text);
	const struct addr_target target = { .host = url.host.text,
		.port = url.port,
		.scheme = (uint8_t)url.scheme,
		.path = method == NULL ? NULL : url.target,
		.path_len = url.path_len,
		.method =
		    method == NULL ? 0 : (uint8_t)addr_method_of(method) };
	why->text[0] = '\0';
	const struct addr_rule *rule =
	    addr_rules_find(set->rules, set->n, &target, why);
	if (rule == NULL) {
		assert_string_not_equal(why->text, "");
		return "";
	}
	addr_rule_put(rule, text);
	return text;
}

#define ALLOWED(set, method, url)                                              \
	assert_string_not_equal(ask(&(set), method, url, &why), "")
#define DENIED(set, method, url)                                               \
	assert_string_equal(ask(&(set), method, url, &why), "")

static bool
ask_tcp(const struct set *set, const char *host, uint16_t port)
{
	const struct addr_target target = {
		.host = host, .port = port, .scheme = ADDR_TCP
	};

	return addr_rules_find(set->rules, set->n, &target, NULL) != NULL;
}

static void
allows_the_place_and_no_other(void **state)
{
	struct set set = { .n = 0 };
	struct err why;
	(void)state;

	DENIED(set, "GET", "https://api.example.com/");
	add(&set, "https://api.example.com", 0, NULL);
	ALLOWED(set, "GET", "https://api.example.com/any?x");
	ALLOWED(set, NULL, "https://api.example.com/");
	DENIED(set, "GET", "http://api.example.com/");
	DENIED(set, "GET", "http://api.example.com:443/");
	DENIED(set, "GET", "https://api.example.com:444/");
	DENIED(set, "GET", "https://example.com/");
	DENIED(set, "GET", "https://x.api.example.com/");
	DENIED(set, "GET", "https://api.example.com.evil.org/");
	DENIED(set, "GET", "https://xapi.example.com/");
	assert_false(ask_tcp(&set, "api.example.com", 443));

	add(&set, "db.example.com:5432", 0, NULL);
	assert_true(ask_tcp(&set, "db.example.com", 5432));
	assert_false(ask_tcp(&set, "db.example.com", 5433));
	DENIED(set, "GET", "http://db.example.com:5432/");
}

static void
allows_below_a_suffix_but_not_itself(void **state)
{
	struct set set = { .n = 0 };
	struct err why;
	(void)state;

	add(&set, "https://*.example.com", 0, NULL);
	ALLOWED(set, "GET", "https://a.example.com/");
	ALLOWED(set, "GET", "https://a.b.example.com/");
	DENIED(set, "GET", "https://example.com/");
	DENIED(set, "GET", "https://xexample.com/");
	DENIED(set, "GET", "https://a.example.com.org/");
	DENIED(set, "GET", "https://a-example.com/");

	/* what never leads outside is not below it */
	add(&set, "https://*.tencentyun.com", 0, NULL);
	ALLOWED(set, "GET", "https://www.tencentyun.com/");
	DENIED(set, "GET", "https://metadata.tencentyun.com/");
	assert_false(
	    addr_rules_know(set.rules, set.n, "metadata.tencentyun.com"));
}

static void
compares_a_prefix_at_a_border(void **state)
{
	struct set open = { .n = 0 }, closed = { .n = 0 };
	struct err why;
	(void)state;

	add(&open, "https://api.example.com/v1", 0, NULL);
	ALLOWED(open, "GET", "https://api.example.com/v1");
	ALLOWED(open, "GET", "https://api.example.com/v1/");
	ALLOWED(open, "GET", "https://api.example.com/v1?x=/v2");
	ALLOWED(open, "GET", "https://api.example.com/v1/x");
	DENIED(open, "GET", "https://api.example.com/v1x");
	DENIED(open, "GET", "https://api.example.com/v");
	DENIED(open, "GET", "https://api.example.com/V1");
	DENIED(open, "GET", "https://api.example.com/%76%31");
	DENIED(open, "GET", "https://api.example.com/v1%2fx");
	DENIED(open, "GET", "https://api.example.com/");
	DENIED(open, "GET", "https://api.example.com?/v1");
	DENIED(open, "GET", "https://api.example.com//v1");
	DENIED(open, NULL, "https://api.example.com/v1");

	add(&closed, "https://api.example.com/v1/", 0, NULL);
	ALLOWED(closed, "GET", "https://api.example.com/v1/");
	ALLOWED(closed, "GET", "https://api.example.com/v1/x/y");
	DENIED(closed, "GET", "https://api.example.com/v1");
}

/* A comparison of bytes would let each of them pass. */
static void
lets_no_path_out_of_its_prefix(void **state)
{
	static const char *const odd[] = { "/v1/..%2fadmin", "/v1/..%5cadmin",
		"/v1/%2e%2e%2fadmin", "/v1/%252e%252e/admin",
		"/v1/%252e%252e%252fadmin", "/v1/..;/admin", "/v1//admin",
		"/v1/%2fadmin", "/v1/%00", "/v1/..%c0%afadmin",
		"/v1/%ef%bc%8e%ef%bc%8e/admin", "/v1/..%00/admin" };
	struct set narrow = { .n = 0 }, wide = { .n = 0 };
	char url[128];
	struct err why;
	(void)state;

	add(&narrow, "https://api.example.com/v1/", 0, NULL);
	add(&wide, "https://api.example.com", 0, NULL);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(url, sizeof(url), "https://api.example.com%s", odd[i]);
		assert_int_equal(strncmp(odd[i], "/v1/", 4), 0);
		DENIED(narrow, "GET", url);
		assert_non_null(strstr(why.text, "two ways"));
		ALLOWED(wide, "GET", url);
	}
	ALLOWED(narrow, "GET", "https://api.example.com/v1/group%2Fproject");
}

static void
allows_the_methods_it_names(void **state)
{
	struct set set = { .n = 0 };
	struct err why;
	(void)state;

	add(&set, "https://api.example.com", 0, "GET, HEAD");
	ALLOWED(set, "GET", "https://api.example.com/");
	ALLOWED(set, "HEAD", "https://api.example.com/");
	DENIED(set, "POST", "https://api.example.com/");
	assert_non_null(strstr(why.text, "add the method POST"));
	DENIED(set, "get", "https://api.example.com/");
	DENIED(set, "TRACE", "https://api.example.com/");
	DENIED(set, NULL, "https://api.example.com/");
	add(&set, "https://api.example.com/in/", 0, "POST");
	ALLOWED(set, "POST", "https://api.example.com/in/x");
	DENIED(set, "POST", "https://api.example.com/out");
	add(&set, "https://api.example.com/x", 0, "OTHER");
	ALLOWED(set, "PROPFIND", "https://api.example.com/x");
}

static void
lets_a_denial_win(void **state)
{
	struct set set = { .n = 0 };
	struct err why;
	(void)state;

	add(&set, "https://*.example.com", 0, NULL);
	add(&set, "db.example.com:5432", 0, NULL);
	add(&set, "secret.example.com", ADDR_RULE_DENY, NULL);
	ALLOWED(set, "GET", "https://a.example.com/");
	DENIED(set, "GET", "https://secret.example.com/");
	assert_non_null(strstr(why.text, "\"secret.example.com\" denies"));
	assert_true(ask_tcp(&set, "db.example.com", 5432));
	add(&set, "*.example.com:5432", ADDR_RULE_DENY, NULL);
	assert_false(ask_tcp(&set, "db.example.com", 5432));
	ALLOWED(set, "GET", "https://db.example.com/");

	/* whichever comes first */
	struct set first = { .n = 0 };
	add(&first, "a.example.com", ADDR_RULE_DENY, NULL);
	add(&first, "https://a.example.com", 0, NULL);
	DENIED(first, "GET", "https://a.example.com/");
}

/* In doubt it is denied: encoded, of another case, not seen. */
static void
lets_a_denied_path_win_in_every_spelling(void **state)
{
	static const char *const denied[] = { "/admin", "/admin/", "/admin/x",
		"/ADMIN/x", "/%61dmin", "/%2561dmin", "/admin;x", "/admin%2fx",
		"/admin%3bx", "/x//admin", "/x/..%2fadmin", "/%00" };
	static const char *const allowed[] = { "/", "/x", "/administrator",
		"/x/admin", "/adm" };
	struct set set = { .n = 0 };
	char url[128];
	struct err why;
	(void)state;

	add(&set, "https://a.example.com", 0, NULL);
	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
			snprintf(url, sizeof(url), "https://a.example.com%s",
			    denied[i]);
			if (k == 0)
				ALLOWED(set, "GET", url);
			else
				DENIED(set, "GET", url);
		}
		for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
			snprintf(url, sizeof(url), "https://a.example.com%s",
			    allowed[i]);
			ALLOWED(set, "GET", url);
		}
		if (k == 0)
			ALLOWED(set, NULL, "https://a.example.com/");
		else
			DENIED(set, NULL, "https://a.example.com/");
		add(&set, "https://a.example.com/admin/", ADDR_RULE_DENY, NULL);
	}
	struct set methods = { .n = 0 };
	add(&methods, "https://a.example.com", 0, NULL);
	add(&methods, "a.example.com", ADDR_RULE_DENY, "DELETE");
	ALLOWED(methods, "GET", "https://a.example.com/");
	DENIED(methods, "DELETE", "https://a.example.com/");
	DENIED(methods, NULL, "https://a.example.com/");
}

static void
says_which_rule_is_missing(void **state)
{
	struct set set = { .n = 0 };
	struct err why;
	(void)state;

	DENIED(set, "GET", "https://api.example.com/v1/x?secret=1");
	assert_string_equal(why.text,
	    "no rule allows https://api.example.com: add the rule "
	    "\"https://api.example.com\"");
	DENIED(set, NULL, "http://[2606:4700::1111]:8080/");
	assert_non_null(strstr(why.text, "\"http://[2606:4700::1111]:8080\""));
	add(&set, "https://api.example.com/v1/", 0, NULL);
	DENIED(set, "GET", "https://api.example.com/v2/x?secret=1");
	assert_string_equal(why.text,
	    "\"https://api.example.com/v1/\" does not allow "
	    "https://api.example.com/v2/x: add a rule with a path that it "
	    "begins with, or \"https://api.example.com\"");

	/* and where none can be added */
	DENIED(set, "GET", "http://169.254.169.254/");
	assert_non_null(strstr(why.text, "cloud metadata"));
	DENIED(set, "GET", "http://metadata.google.internal/");
	assert_non_null(strstr(why.text, "no rule can allow it"));
	assert_null(strstr(why.text, "add the rule"));

	/* the rule it names does allow it */
	const struct addr_target target = {
		.host = "db.example.com", .port = 443, .scheme = ADDR_TCP
	};
	assert_null(addr_rules_find(set.rules, set.n, &target, &why));
	char *rule = strchr(why.text, '"') + 1;
	*strchr(rule, '"') = '\0';
	add(&set, rule, 0, NULL);
	assert_non_null(addr_rules_find(set.rules, set.n, &target, &why));
}

static void
knows_names(void **state)
{
	struct set set = { .n = 0 };
	(void)state;

	add(&set, "*.example.com", 0, NULL);
	add(&set, "db.example.org:5432", 0, NULL);
	add(&set, "a.example.com:25", ADDR_RULE_DENY, NULL);
	add(&set, "b.example.com", ADDR_RULE_DENY, NULL);
	add(&set, "c.example.com/x", ADDR_RULE_DENY, NULL);
	assert_true(addr_rules_know(set.rules, set.n, "a.example.com"));
	assert_false(addr_rules_know(set.rules, set.n, "b.example.com"));
	assert_true(addr_rules_know(set.rules, set.n, "c.example.com"));
	assert_true(addr_rules_know(set.rules, set.n, "db.example.org"));
	assert_false(addr_rules_know(set.rules, set.n, "example.com"));
	assert_false(addr_rules_know(set.rules, set.n, "x.example.org"));
	assert_false(addr_rules_know(set.rules, 0, "a.example.com"));
}

static void
looks_inside_where_a_rule_is_narrow(void **state)
{
	struct set set = { .n = 0 };
	(void)state;

	add(&set, "https://wide.example.com", 0, NULL);
	add(&set, "https://path.example.com/x", 0, NULL);
	add(&set, "https://method.example.com:444", 0, "GET");
	add(&set, "denied.example.com/x", ADDR_RULE_DENY, NULL);
#define LOOKS(host, port) addr_rules_look_inside(set.rules, set.n, host, port)
	assert_false(LOOKS("wide.example.com", 443));
	assert_true(LOOKS("path.example.com", 443));
	assert_false(LOOKS("path.example.com", 444));
	assert_true(LOOKS("method.example.com", 444));
	assert_true(LOOKS("denied.example.com", 1));
	assert_false(LOOKS("other.example.com", 443));
#undef LOOKS
}

static void
grants_loopback_to_its_name(void **state)
{
	struct set set = { .n = 0 };
	(void)state;

	add(&set, "localhost:5432", ADDR_RULE_LOOPBACK, NULL);
	assert_true(ask_tcp(&set, "localhost", 5432));
	assert_false(ask_tcp(&set, "localhost", 5433));
	assert_false(ask_tcp(&set, "127.0.0.1", 5432));
	assert_false(ask_tcp(&set, "::1", 5432));
	assert_true(addr_rules_know(set.rules, set.n, "localhost"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_the_place_and_no_other),
		cmocka_unit_test(allows_below_a_suffix_but_not_itself),
		cmocka_unit_test(compares_a_prefix_at_a_border),
		cmocka_unit_test(lets_no_path_out_of_its_prefix),
		cmocka_unit_test(allows_the_methods_it_names),
		cmocka_unit_test(lets_a_denial_win),
		cmocka_unit_test(lets_a_denied_path_win_in_every_spelling),
		cmocka_unit_test(says_which_rule_is_missing),
		cmocka_unit_test(knows_names),
		cmocka_unit_test(looks_inside_where_a_rule_is_narrow),
		cmocka_unit_test(grants_loopback_to_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
