/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "gateway/plan.h"

static bool
is_string(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}

static int
plan_check(const struct wire_plan *plan, size_t len, struct err *err)
{
	if (plan->magic != WIRE_PLAN_MAGIC)
		return err_set(err, -EINVAL,
		    "the plan is of another version: install cordon's "
		    "programs together");
	/* What is deployed is the store's to say. */
	if (plan->n_deployments != 0 || len != sizeof(*plan))
		return err_set(err, -EINVAL, "the plan has a wrong length");
	if (!is_string(plan->hosts, sizeof(plan->hosts)) ||
	    !is_string(plan->origins, sizeof(plan->origins)))
		return err_set(
		    err, -EINVAL, "hosts or origins of the plan do not end");
	return 0;
}

int
plan_map(int plan_fd, const struct wire_plan **planp, struct err *err)
{
	struct stat stat;

	if (fstat(plan_fd, &stat) != 0)
		return err_set(
		    err, -errno, "cannot read the plan: %s", strerror(errno));
	const size_t len = (size_t)stat.st_size;
	if (len < sizeof(struct wire_plan))
		return err_set(err, -EINVAL, "the plan is too short");

	const struct wire_plan *plan =
	    mmap(NULL, len, PROT_READ, MAP_PRIVATE, plan_fd, 0);
	if (plan == MAP_FAILED)
		return err_set(
		    err, -errno, "cannot map the plan: %s", strerror(errno));
	const int r = plan_check(plan, len, err);
	if (r != 0)
		return r;
	*planp = plan;
	return 0;
}

int
plan_settings(int plan_fd, struct wire_plan *settings, struct err *err)
{
	auto_close int fd = plan_fd;
	const struct wire_plan *plan;

	const int r = plan_map(fd, &plan, err);
	if (r != 0)
		return r;
	*settings = *plan;
	munmap((void *)(uintptr_t)plan, sizeof(*plan));
	return 0;
}

char *
plan_pem_read(int tls_fd, struct err *err)
{
	auto_close int fd = tls_fd;
	struct stat stat;

	if (fstat(fd, &stat) != 0 || stat.st_size <= 0 ||
	    stat.st_size > PLAN_PEM_MAX) {
		err_set(err, 0,
		    "certificate and key have no length, or more "
		    "than %u bytes",
		    PLAN_PEM_MAX);
		return NULL;
	}
	const size_t len = (size_t)stat.st_size;
	char *pem = malloc(len + 1);
	if (pem == NULL || pread(fd, pem, len, 0) != (ssize_t)len) {
		err_set(err, 0, "certificate and key cannot be read");
		free(pem);
		return NULL;
	}
	pem[len] = '\0';
	return pem;
}

void
plan_pem_free(char *pem)
{
	if (pem != NULL)
		sodium_memzero(pem, strlen(pem));
	free(pem);
}
