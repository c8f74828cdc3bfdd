#include "config/permissions.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/trials.h"

#define GROUPS_MAX 1024

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int group_count;
};

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Fewer bytes than asked for: the other end is gone. */
static size_t read_all(int fd, void *data, size_t len)
{
	size_t got = 0;
	while (got < len) {
		ssize_t n = read(fd, (char *)data + got, len - got);
		if (n == -1 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			break;
		}
		got += (size_t)n;
	}
	return got;
}

/* The child: says errno of becoming the user, then errno of each trial. */
_Noreturn static void try_as(int fd, const struct identity *who, const struct trials *trials)
{
	int error = 0;
	if (setgroups((size_t)who->group_count, who->groups) == -1 || setgid(who->gid) == -1 ||
	    setuid(who->uid) == -1) {
		error = errno;
	}
	if (write_all(fd, &error, sizeof(error)) == -1 || error != 0) {
		_exit(1);
	}
	for (size_t i = 0; i < trials->count; i++) {
		error = trial_attempt(&trials->items[i]);
		if (write_all(fd, &error, sizeof(error)) == -1) {
			_exit(1);
		}
	}
	_exit(0);
}

/* Everything that needs the user database is done before the fork. */
static int identify(struct identity *who, const char *user)
{
	const struct passwd *entry = getpwnam(user);
	if (entry == NULL) {
		return E_NOT_FOUND;
	}
	who->uid = entry->pw_uid;
	who->gid = entry->pw_gid;
	who->group_count = GROUPS_MAX;
	return getgrouplist(user, entry->pw_gid, who->groups, &who->group_count) == -1 ? E_LIMIT
	                                                                               : E_OK;
}

static int run_child(struct trials *trials, const struct identity *who, int *become_error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) == -1) {
		return err_from_errno();
	}
	pid_t pid = fork();
	if (pid == -1) {
		int err = err_from_errno();
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (pid == 0) {
		try_as(ends[1], who, trials);
	}
	close(ends[1]);
	size_t got = read_all(ends[0], become_error, sizeof(*become_error));
	for (size_t i = 0; i < trials->count && *become_error == 0 && got == sizeof(int); i++) {
		got = read_all(ends[0], &trials->items[i].error, sizeof(int));
	}
	close(ends[0]);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR) {
	}
	return got == sizeof(int) ? E_OK : E_IO;
}

static void warn_of_open_key(const struct config *config, const struct config_text *key,
                             struct diag *diag)
{
	struct stat st;
	if (key->text != NULL && stat(key->text, &st) == 0 &&
	    (st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		diag_warn(diag, config->path, key->at,
		          "the private key %s can be %s by every user of this machine", key->text,
		          (st.st_mode & S_IROTH) != 0 ? "read" : "written");
	}
}

static void warn_of_open_keys(const struct config *config, struct diag *diag)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		for (size_t c = 0; c < service->certificate_count; c++) {
			warn_of_open_key(config, &service->certificates[c].key, diag);
		}
		for (size_t u = 0; u < trials_upstream_count(service); u++) {
			warn_of_open_key(
				config, &trials_upstream_at(service, u)->tls.certificate.key, diag);
		}
	}
}

/* Whether the folder is there; false also when it is not a folder, which is reported. */
static bool has_state_folder(const struct config *config, struct diag *diag)
{
	struct stat st;
	if (stat(config->state.text, &st) == -1) {
		if (errno != ENOENT && errno != EACCES) {
			diag_error(diag, config->path, config->state.at, "state: %s: %s",
			           config->state.text, strerror(errno));
		}
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		diag_error(diag, config->path, config->state.at, "state: %s is not a folder",
		           config->state.text);
		return false;
	}
	return true;
}

static void report_trials(const struct config *config, const struct trials *trials,
                          struct diag *diag)
{
	for (size_t i = 0; i < trials->count; i++) {
		const struct trial *trial = &trials->items[i];
		/* What is wrong for us, too, is reported by whoever opens it in earnest. */
		if (trial->error != 0 && trial_attempt(trial) == 0) {
			diag_error(diag, config->path, trial->at,
			           "%s: %s cannot be %s by user %s: %s", trial->kind, trial->path,
			           trial->access == TRIAL_CHANGE ? "used" : "read",
			           config->user.text, strerror(trial->error));
		}
	}
}

static int check_as_user(const struct config *config, struct diag *diag)
{
	struct trials trials = {0};
	struct identity *who = malloc(sizeof(*who));
	int err = who == NULL ? E_NOMEM : trials_collect(&trials, config);
	if (err == E_OK && !has_state_folder(config, diag)) {
		free(trials.items[--trials.count].path); /* it stands last */
	}
	if (err == E_OK) {
		err = identify(who, config->user.text);
	}
	int become_error = 0;
	if (err == E_OK) {
		err = run_child(&trials, who, &become_error);
	}
	if (err != E_OK || become_error != 0) {
		diag_error(diag, config->path, config->user.at,
		           "user: cannot try the files as %s: %s", config->user.text,
		           become_error != 0 ? strerror(become_error) : err_text(err));
	} else {
		report_trials(config, &trials, diag);
	}
	trials_release(&trials);
	free(who);
	return err;
}

static void check_as_self(const struct config *config, struct diag *diag)
{
	if (has_state_folder(config, diag) && access(config->state.text, R_OK | W_OK | X_OK) == -1) {
		diag_error(diag, config->path, config->state.at, "state: %s cannot be used: %s",
		           config->state.text, strerror(errno));
	}
	if (config->user.text == NULL) {
		return;
	}
	const struct passwd *entry = getpwnam(config->user.text);
	if (entry != NULL && entry->pw_uid != geteuid()) {
		diag_warn(diag, config->path, config->user.at,
		          "user: only root can become %s, so what that user can read was not tried",
		          config->user.text);
	}
}

int config_check_permissions(const struct config *config, struct diag *diag)
{
	unsigned before = diag->errors;
	int err = E_OK;
	warn_of_open_keys(config, diag);
	if (config->user.text != NULL && geteuid() == 0) {
		err = check_as_user(config, diag);
	} else {
		check_as_self(config, diag);
	}
	if (err != E_OK) {
		return err;
	}
	return diag->errors > before ? E_INVALID : E_OK;
}
