#include "cmd/demo_places.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

int demo_places_make(struct demo_places *places, const char *state)
{
	const char *base = getenv("TMPDIR");
	if (base == NULL || *base != '/') {
		base = "/tmp";
	}
	int n = snprintf(places->dir, sizeof(places->dir), "%s/tlscribe-demo-XXXXXX", base);
	/* Room for the names below it; a quote would end the printed commands early. */
	if (n >= PATH_MAX - 64 || strchr(base, '\'') != NULL) {
		log_error("demo: TMPDIR cannot be used");
		return E_INVALID;
	}
	if (state == NULL) {
		n = 0;
	} else if (*state == '/') {
		n = snprintf(places->state, sizeof(places->state), "%s", state);
	} else {
		char *here = getcwd(NULL, 0);
		n = here == NULL
		            ? PATH_MAX
		            : snprintf(places->state, sizeof(places->state), "%s/%s", here, state);
		free(here);
	}
	if (n >= PATH_MAX) {
		log_error("demo: the path of --state is too long");
		return E_LIMIT;
	}
	if (mkdtemp(places->dir) == NULL) {
		int err = err_from_errno();
		log_error("demo: %s: %s", places->dir, err_text(err));
		return err;
	}
	if (state == NULL) {
		snprintf(places->state, sizeof(places->state), "%.*s/state", PATH_MAX - 16,
		         places->dir);
	}
	return E_OK;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

void demo_places_remove(struct demo_places *places)
{
	if (nftw(places->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == -1) {
		log_error("demo: cannot remove all of %s", places->dir);
	}
}
