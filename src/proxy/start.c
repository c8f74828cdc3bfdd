/* From a file name to a configuration that can serve, and from there to sockets, privileges and limits. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "config/permissions.h"
#include "proxy/start.h"

/* Each connection has two sockets; the rest is for listeners, journal and the like. */
#define DESCRIPTORS_EXTRA 128

void start_log_diag(const struct diag *diag)
{
	for (const struct diag_item *item = diag->first; item != NULL; item = item->next) {
		const char *text = item->text == NULL ? "out of memory" : item->text;
		enum log_level level =
			item->level == DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING;
		if (item->file == NULL) {
			log_write(level, "%s", text);
		} else if (item->at.line == 0) {
			log_write(level, "%s: %s", item->file, text);
		} else {
			log_write(level, "%s:%u:%u: %s", item->file, item->at.line, item->at.column,
			          text);
		}
	}
}

int start_load(struct snapshot **out, const char *path, uint64_t epoch, struct crl_store *store)
{
	struct diag diag;
	diag_init(&diag);
	struct config *config = NULL;
	int err = config_load(&config, path, &diag);
	if (err == E_OK) {
		config_check_permissions(config, &diag);
		err = snapshot_build(out, &config, epoch, store, &diag);
	}
	if (err == E_NOMEM && diag.errors == 0) {
		log_error("out of memory while reading %s", path);
	}
	start_log_diag(&diag);
	diag_release(&diag);
	return err;
}

int start_listen(struct listener ***out, const struct snapshot *snapshot, struct listener **old,
                 size_t old_count, bool *kept, unsigned workers)
{
	const struct config *config = snapshot_config(snapshot);
	struct listener **listeners = calloc(config->listener_count + 1, sizeof(struct listener *));
	if (listeners == NULL) {
		return E_NOMEM;
	}
	struct diag diag;
	diag_init(&diag);
	int err = E_OK;
	for (size_t i = 0; i < config->listener_count; i++) {
		for (size_t j = 0; j < old_count && listeners[i] == NULL; j++) {
			if (!kept[j] && listener_fits(old[j], &config->listeners[i])) {
				listeners[i] = old[j];
				kept[j] = true;
			}
		}
		if (listeners[i] == NULL) {
			int one = listener_open(&listeners[i], &config->listeners[i], workers,
			                        config->path, &diag);
			err = err == E_OK ? one : err;
		}
	}
	start_log_diag(&diag);
	diag_release(&diag);
	if (err == E_OK) {
		*out = listeners;
		return E_OK;
	}
	start_unlisten(listeners, config->listener_count, old, old_count);
	return err;
}

void start_unlisten(struct listener **listeners, size_t count, struct listener **old,
                    size_t old_count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_old = false;
		for (size_t j = 0; j < old_count; j++) {
			is_old = is_old || old[j] == listeners[i];
		}
		if (!is_old) {
			listener_close(&listeners[i]);
		}
	}
	free(listeners);
}

uint64_t start_raise_descriptors(const struct config *config)
{
	uint64_t wanted = config->limits.connections;
	struct rlimit limit;
	rlim_t need = 2 * (rlim_t)wanted + DESCRIPTORS_EXTRA;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) {
		return wanted;
	}
	limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= need) {
		return wanted;
	}
	uint64_t fits = limit.rlim_cur > 2 * DESCRIPTORS_EXTRA
	                        ? (limit.rlim_cur - DESCRIPTORS_EXTRA) / 2
	                        : DESCRIPTORS_EXTRA / 2;
	log_warning("RLIMIT_NOFILE is %llu: that is enough for %llu connections, more are refused "
	            "although limits.connections is "
	            "%llu; raise LimitNOFILE= of the unit or `ulimit -n`",
	            (unsigned long long)limit.rlim_cur, (unsigned long long)fits,
	            (unsigned long long)wanted);
	return fits;
}

/* The state directory has to belong to whom the daemon becomes. */
static int prepare_state(const char *state, uid_t uid, gid_t gid)
{
	struct stat st;
	if (stat(state, &st) == 0) {
		return E_OK; /* journal_open() says what is wrong with it */
	}
	/* lchown: should somebody have put a link there meanwhile, what it points at is not given away. */
	if (mkdir(state, 0700) != 0 || lchown(state, uid, gid) != 0) {
		log_error("cannot make the state directory %s: %s", state, strerror(errno));
		return err_from_errno();
	}
	return E_OK;
}

int start_drop_privileges(const struct config *config)
{
	const char *name = config->user.text;
	if (name == NULL) {
		return E_OK;
	}
	errno = 0;
	const struct passwd *user = getpwnam(name);
	if (user == NULL) {
		log_error("%s:%u:%u: there is no user \"%s\"", config->path, config->user.at.line,
		          config->user.at.column, name);
		return E_NOT_FOUND;
	}
	if (geteuid() == user->pw_uid) {
		return E_OK;
	}
	if (geteuid() != 0) {
		log_error("only root can become user \"%s\"; start as root or as that user", name);
		return E_ACCESS;
	}
	int err = prepare_state(config->state.text, user->pw_uid, user->pw_gid);
	if (err != E_OK) {
		return err;
	}
	if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
	    setuid(user->pw_uid) != 0) {
		log_error("cannot become user \"%s\": %s", name, strerror(errno));
		return err_from_errno();
	}
	/* setuid() to an unprivileged user cannot be undone; a kernel that lets us is not to be trusted. */
	if (user->pw_uid != 0 && setuid(0) == 0) {
		log_error("the change to user \"%s\" can be undone", name);
		return E_ACCESS;
	}
	return E_OK;
}
