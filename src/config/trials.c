#include "config/trials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

/* Takes `path`, which is NULL without memory. */
static int add(struct trials *trials, const char *kind, char *path, struct mark at,
               enum trial_access access)
{
	if (path == NULL) {
		return E_NOMEM;
	}
	if (trials->count == trials->cap) {
		size_t cap = trials->cap == 0 ? 64 : trials->cap * 2;
		struct trial *items = reallocarray(trials->items, cap, sizeof(items[0]));
		if (items == NULL) {
			free(path);
			return E_NOMEM;
		}
		trials->items = items;
		trials->cap = cap;
	}
	trials->items[trials->count++] = (struct trial){kind, path, at, access, 0};
	return E_OK;
}

static int add_file(struct trials *trials, const char *kind, const struct config_text *file)
{
	return add(trials, kind, strdup(file->text), file->at, TRIAL_READ);
}

static int add_files(struct trials *trials, const char *kind, const struct config_texts *files)
{
	int err = E_OK;
	for (size_t i = 0; i < files->count && err == E_OK; i++) {
		err = add_file(trials, kind, &files->items[i]);
	}
	return err;
}

static int add_pair(struct trials *trials, const struct config_certificate *pair)
{
	int err = add_file(trials, "certificate", &pair->chain);
	return err == E_OK ? add_file(trials, "key", &pair->key) : err;
}

/* Its files as peer/lists.c takes them: all but the hidden ones. */
static int add_folder(struct trials *trials, const char *kind, const struct config_text *folder)
{
	int err = add(trials, kind, strdup(folder->text), folder->at, TRIAL_LIST);
	DIR *dir = opendir(folder->text);
	const struct dirent *entry;
	while (dir != NULL && err == E_OK && (entry = readdir(dir)) != NULL) {
		char *path = NULL;
		struct stat st;
		if (entry->d_name[0] == '.') {
			continue;
		}
		const char *slash = folder->text[strlen(folder->text) - 1] == '/' ? "" : "/";
		if (asprintf(&path, "%s%s%s", folder->text, slash, entry->d_name) == -1) {
			err = E_NOMEM;
		} else if (stat(path, &st) == -1 || !S_ISREG(st.st_mode)) {
			free(path);
		} else {
			err = add(trials, kind, path, folder->at, TRIAL_READ);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return err;
}

static int add_crls(struct trials *trials, const struct config_texts *crls)
{
	int err = E_OK;
	for (size_t i = 0; i < crls->count && err == E_OK; i++) {
		struct stat st;
		bool is_folder = stat(crls->items[i].text, &st) == 0 && S_ISDIR(st.st_mode);
		err = is_folder ? add_folder(trials, "crl", &crls->items[i])
		                : add_file(trials, "crl", &crls->items[i]);
	}
	return err;
}

static int add_client(struct trials *trials, const struct config_client *client)
{
	int err = add_files(trials, "ca", &client->ca);
	if (err == E_OK) {
		err = add_files(trials, "issuers", &client->issuers);
	}
	if (err == E_OK) {
		err = add_crls(trials, &client->crl);
	}
	if (err == E_OK) {
		err = add_files(trials, "allow", &client->allow);
	}
	return err == E_OK ? add_files(trials, "deny", &client->deny) : err;
}

size_t trials_upstream_count(const struct config_service *service)
{
	return 2 + service->route_count;
}

const struct config_upstream *trials_upstream_at(const struct config_service *service, size_t i)
{
	return i == 0   ? &service->upstream
	       : i == 1 ? &service->quarantine
	                : &service->routes[i - 2].upstream;
}

static int add_service(struct trials *trials, const struct config_service *service)
{
	int err = E_OK;
	for (size_t i = 0; i < service->certificate_count && err == E_OK; i++) {
		err = add_pair(trials, &service->certificates[i]);
	}
	if (err == E_OK) {
		err = add_client(trials, &service->client);
	}
	for (size_t i = 0; i < trials_upstream_count(service) && err == E_OK; i++) {
		const struct config_upstream_tls *tls = &trials_upstream_at(service, i)->tls;
		if (tls->certificate.chain.text != NULL) {
			err = add_pair(trials, &tls->certificate);
		}
		if (err == E_OK) {
			err = add_files(trials, "ca", &tls->ca);
		}
	}
	return err;
}

/* Where proxy/crl_fetch keeps what it fetched: somebody else's after a first run without `user`. */
static int add_fetched(struct trials *trials, const struct config *config,
                       const struct config_crl_fetch *fetch)
{
	char *path = NULL;
	if (fetch->urls.count == 0) {
		return E_OK;
	}
	if (asprintf(&path, "%s/crl", config->state.text) == -1) {
		return E_NOMEM;
	}
	return add(trials, "crl_fetch", path, fetch->at, TRIAL_CHANGE);
}

int trials_collect(struct trials *trials, const struct config *config)
{
	int err = E_OK;
	*trials = (struct trials){0};
	for (size_t i = 0; i < config->service_count && err == E_OK; i++) {
		err = add_service(trials, &config->services[i]);
		if (err == E_OK) {
			err = add_fetched(trials, config, &config->services[i].client.crl_fetch);
		}
	}
	if (err != E_OK) {
		return err;
	}
	return add(trials, "state", strdup(config->state.text), config->state.at, TRIAL_CHANGE);
}

void trials_release(struct trials *trials)
{
	for (size_t i = 0; i < trials->count; i++) {
		free(trials->items[i].path);
	}
	free(trials->items);
	*trials = (struct trials){0};
}

int trial_attempt(const struct trial *trial)
{
	if (trial->access != TRIAL_READ) {
		int mode = trial->access == TRIAL_LIST ? R_OK | X_OK : R_OK | W_OK | X_OK;
		return access(trial->path, mode) == 0 ? 0 : errno;
	}
	/* A FIFO in place of a file must not stop us here. */
	int fd = open(trial->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1) {
		return errno;
	}
	close(fd);
	return 0;
}
