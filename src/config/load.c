#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/bind.h"
#include "config/check.h"
#include "config/config.h"
#include "config/yaml.h"

#define CANONICAL_MAX (64 * 1024 * 1024)

/* The folder that relative paths count from, absolute; NULL without memory or without a working directory. */
static char *folder_of(const char *path)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	if (slash != NULL && path[0] == '/') {
		return slash == path ? strdup("") : strndup(path, (size_t)(slash - path));
	}
	char *here = getcwd(NULL, 0);
	if (here == NULL || slash == NULL) {
		return here;
	}
	char *folder = NULL;
	if (asprintf(&folder, "%s/%.*s", strcmp(here, "/") == 0 ? "" : here, (int)(slash - path),
	             path) == -1) {
		folder = NULL;
	}
	free(here);
	return folder;
}

static int print_canonical(struct config *config)
{
	struct buf text;
	buf_init(&text, CANONICAL_MAX);
	bind_print(config, &text);
	buf_append_byte(&text, '\0');
	int err = text.err;
	if (err == E_OK) {
		config->canonical = strdup((const char *)text.data);
		err = config->canonical == NULL ? E_NOMEM : E_OK;
	}
	buf_release(&text);
	return err;
}

/* The parts that come after the tree: computed defaults, checks, and the canonical copy if all is well. */
static int finish(struct config *config, const char *file, struct diag *diag)
{
	config->path = strdup(file);
	if (config->path == NULL) {
		return E_NOMEM;
	}
	int err = check_computed(config, diag);
	if (err != E_OK) {
		return err;
	}
	check_config(config, diag);
	return diag->errors > 0 ? E_INVALID : print_canonical(config);
}

/* `path` is where relative paths count from (NULL: the working directory), `file` what errors say. */
static int parse(struct config **out, const char *file, const char *path, const char *text,
                 size_t len, struct diag *diag)
{
	unsigned before = diag->errors;
	struct yaml_node *root = NULL;
	int err = yaml_parse(&root, file, text, len, diag);
	if (err != E_OK) {
		return err;
	}
	char *folder = folder_of(path);
	struct config *config = calloc(1, sizeof(*config));
	err = folder == NULL || config == NULL ? E_NOMEM
	                                       : bind_tree(config, file, folder, root, diag);
	if (err == E_OK) {
		err = finish(config, file, diag);
	}
	if (err == E_OK && gnutls_hash_fast(GNUTLS_DIG_SHA256, text, len, config->sha256) != 0) {
		err = E_NOMEM;
	}
	if (err == E_OK && diag->errors > before) {
		err = E_INVALID;
	}
	yaml_free(root);
	free(folder);
	if (err != E_OK) {
		config_free(&config);
		return err;
	}
	*out = config;
	return E_OK;
}

int config_parse(struct config **out, const char *name, const void *text, size_t len,
                 struct diag *diag)
{
	if (len > YAML_BYTES_MAX) {
		len = YAML_BYTES_MAX + 1; /* enough to be refused, and not copied */
		return parse(out, name, NULL, text, len, diag);
	}
	/* The parser wants a NUL behind it. */
	char *copy = malloc(len + 1);
	if (copy == NULL) {
		return E_NOMEM;
	}
	if (len > 0) {
		memcpy(copy, text, len);
	}
	copy[len] = '\0';
	int err = parse(out, name, NULL, copy, len, diag);
	free(copy);
	return err;
}

/* At most one byte more than a configuration may have. */
static int read_all(int fd, struct buf *text)
{
	while (text->len <= YAML_BYTES_MAX) {
		uint8_t *room = buf_reserve(text, 65536);
		if (room == NULL) {
			return text->err;
		}
		ssize_t n = read(fd, room, 65536);
		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n == -1) {
			return err_from_errno();
		}
		if (n == 0) {
			break;
		}
		text->len += (size_t)n;
	}
	return E_OK;
}

int config_load(struct config **out, const char *path, struct diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		int err = err_from_errno();
		diag_error(diag, path, (struct mark){0}, "cannot be opened: %s", strerror(errno));
		return err;
	}
	struct buf text;
	buf_init(&text, YAML_BYTES_MAX + 2 * 65536);
	int err = read_all(fd, &text);
	if (err != E_OK) {
		diag_error(diag, path, (struct mark){0}, "cannot be read: %s", err_text(err));
		goto close_file;
	}
	size_t len = text.len;
	buf_append_byte(&text, '\0');
	err = text.err != E_OK ? text.err
	                       : parse(out, path, path, (const char *)text.data, len, diag);
	if (err == E_NOMEM) {
		diag_error(diag, path, (struct mark){0}, "out of memory");
	}
close_file:
	buf_release(&text);
	close(fd);
	return err;
}

void config_free(struct config **config)
{
	if (*config == NULL) {
		return;
	}
	bind_release(*config);
	free((*config)->path);
	free((*config)->canonical);
	free(*config);
	*config = NULL;
}
