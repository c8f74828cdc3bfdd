#include "peer/lists.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/err.h"

struct lists {
	_Atomic unsigned refs;
	uint8_t id[32];
	struct lists_file *files;
	size_t file_count;
};

int lists_new(struct lists **out, const struct trust *trust, const struct config_client *client,
              const char *folder, struct crl_store *store, const char *file, struct diag *diag)
{
	(void)client;
	(void)folder;
	(void)store;
	(void)file;
	(void)diag;
	struct lists *lists = calloc(1, sizeof(*lists));
	if (lists == NULL) {
		return E_NOMEM;
	}
	atomic_init(&lists->refs, 1);
	memcpy(lists->id, trust_id(trust), sizeof(lists->id));
	*out = lists;
	return E_OK;
}

struct lists *lists_ref(struct lists *lists)
{
	atomic_fetch_add_explicit(&lists->refs, 1, memory_order_relaxed);
	return lists;
}

void lists_unref(struct lists **lists)
{
	struct lists *l = *lists;
	*lists = NULL;
	if (l != NULL && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1) {
		free(l->files);
		free(l);
	}
}

const uint8_t *lists_id(const struct lists *lists)
{
	return lists->id;
}

size_t lists_file_count(const struct lists *lists)
{
	return lists->file_count;
}

const struct lists_file *lists_file_at(const struct lists *lists, size_t i)
{
	BUG_IF(i >= lists->file_count);
	return &lists->files[i];
}
