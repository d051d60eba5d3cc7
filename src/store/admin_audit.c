/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit, page by page, and the check of its chain.
 */
#include "store/admin.h"

#define PAGE_BYTES (8u << 20) /* a page ends early before it is too long */

struct page {
	struct request *request;
	size_t n;
};

static int
record_put(void *arg, const struct db_audit *record)
{
	struct page *page = arg;
	struct json_out *out = &page->request->out;

	if (out->len > PAGE_BYTES)
		return DB_E_STOP;
	put_uint(out,
	    page->n++ > 0 ? ",{\"number\":" : "{\"number\":", record->number);
	put_uint(out, ",\"time\":", record->time_ms / 1000u);
	put_uint(out, ",\"time_ms\":", record->time_ms);
	put_uint(out, ",\"principal\":", record->principal);
	put_string(out, ",\"principal_name\":", record->principal_name);
	put_uint(out, ",\"tenant\":", record->tenant);
	put_string(out, ",\"tenant_name\":", record->tenant_name);
	put_string(out, ",\"request\":", record->request);
	put_string(out, ",\"action\":", record->action);
	put_hex(out, ",\"hash\":", record->hash);
	/* Checked when it came; the file may have been tampered with since. */
	struct json_span detail;
	json_out_text(out, ",\"detail\":");
	if (json_check(record->detail, record->detail_len, &detail, NULL) == 0)
		json_out_span(out, detail);
	else
		json_out_string(out, record->detail, record->detail_len);
	json_out_text(out, "}");
	return 0;
}

int
audit_list(struct request *request)
{
	struct page page = { .request = request };
	const uint32_t tenant = request->all_tenants ? 0 : request->tenant.id;
	uint8_t hash[DB_DIGEST];
	uint64_t newest = 0;

	int code = db_audit_last(request->store->db, &newest, hash);
	if (code != 0)
		return code;
	put_uint(&request->out, "{\"newest\":", newest);
	json_out_text(&request->out, ",\"records\":[");
	code = db_audit_each(request->store->db, request->after, request->limit,
	    tenant, record_put, &page);
	json_out_text(&request->out, "]}");
	return code < 0 ? code : 200;
}

/* The chain is one for all tenants. */
int
audit_check(struct request *request)
{
	struct audit_verdict verdict;
	struct json_out *out = &request->out;

	if (request->token.tenant != WIRE_TENANT_LOCAL)
		return refuse(request, 403,
		    "the chain is one for all tenants: admins of 'local' may "
		    "check it");
	const int code = audit_verify(request->store->db, &verdict);
	if (code != 0)
		return code;
	put_uint(out, "{\"checked\":", verdict.checked);
	json_out_text(out, ",\"ok\":");
	json_out_text(out, verdict.broken == 0 ? "true" : "false");
	if (verdict.broken != 0) {
		put_uint(out, ",\"broken\":", verdict.broken);
		put_string(out, ",\"why\":", verdict.why);
	}
	json_out_text(out, "}");
	return 200;
}
