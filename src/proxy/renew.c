#include "proxy/renew.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "peer/crl_store.h"
#include "proxy/engine_private.h"
#include "proxy/start.h"
#include "tls/digest.h"

#define LOOK_BYTES_MAX (4 << 20) /* some 60,000 files */

/* --- how the files are now --- */

static void look_at(struct buf *out, const char *path);

static void look_into(struct buf *out, const char *folder)
{
	struct dirent **names = NULL;
	int count = scandir(folder, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *path = NULL;
		if (names[i]->d_name[0] != '.' &&
		    asprintf(&path, "%s/%s", folder, names[i]->d_name) >= 0) {
			look_at(out, path);
			free(path);
		}
		free(names[i]);
	}
	free(names);
}

/* Path and what changes with the content: device, inode, size, times. One that is not there has its path alone. */
static void look_at(struct buf *out, const char *path)
{
	struct stat st;
	buf_append(out, path, strlen(path) + 1);
	if (stat(path, &st) != 0) {
		return;
	}
	const int64_t numbers[] = {(int64_t)st.st_dev, (int64_t)st.st_ino, (int64_t)st.st_size,
	                           st.st_mtim.tv_sec,  st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
	                           st.st_ctim.tv_nsec};
	buf_append(out, numbers, sizeof(numbers));
	if (S_ISDIR(st.st_mode)) {
		look_into(out, path);
	}
}

static void look_at_all(struct buf *out, const struct config_texts *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		look_at(out, paths->items[i].text);
	}
}

static void look(uint8_t sha256[static 32], const struct config *config)
{
	struct buf out;
	buf_init(&out, LOOK_BYTES_MAX);
	char *folder = snapshot_crl_folder(config);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_client *client = &config->services[i].client;
		look_at_all(&out, &client->crl);
		look_at_all(&out, &client->allow);
		look_at_all(&out, &client->deny);
		for (size_t k = 0; folder != NULL && k < client->crl_fetch.urls.count; k++) {
			struct buf path;
			buf_init(&path, 8192);
			crl_cache_path(&path, folder, client->crl_fetch.urls.items[k].text);
			if (path.err == E_OK) {
				look_at(&out, (const char *)path.data);
			}
			buf_release(&path);
		}
	}
	free(folder);
	digest_sha256(sha256, &(struct slice){out.data, out.len}, 1);
	buf_release(&out);
}

/* --- CRLs that grow old --- */

static void say_stale(const struct service *service, const struct lists_file *file)
{
	char when[CLOCK_TEXT_LEN + 1];
	clock_format(when, file->next_update_s * 1000000);
	log_warning("service %s: the CRL %s of %s is out of date since %.19sZ; it still tells who "
	            "is revoked, and %s",
	            service->event.name, file->path, file->issuer, when,
	            service->config->client.revocation == REVOCATION_HARD
	                    ? "with revocation: hard nobody else of this CA is let in until a new "
	                      "one comes"
	                    : "nobody else is refused because of it (revocation: soft)");
}

static void look_for_stale(struct engine *e)
{
	int64_t now_s = clock_wall_us() / 1000000;
	int64_t before_s = e->renewal.stale_until_s;
	if (before_s != 0 && now_s < before_s) {
		return;
	}
	int64_t next_s = INT64_MAX;
	for (size_t i = 0; i < snapshot_service_count(e->snapshot); i++) {
		const struct service *service = snapshot_service(e->snapshot, i);
		const struct lists *lists = snapshot_lists(e->snapshot, service);
		for (size_t k = 0; k < lists_file_count(lists); k++) {
			const struct lists_file *file = lists_file_at(lists, k);
			if (file->next_update_s == 0) {
				continue;
			}
			/* One that was old when it was read was warned about then. */
			if (before_s != 0 && file->next_update_s < now_s &&
			    file->next_update_s >= before_s - 1) {
				say_stale(service, file);
			} else if (file->next_update_s >= now_s && file->next_update_s + 1 < next_s) {
				next_s = file->next_update_s + 1;
			}
		}
	}
	e->renewal.stale_until_s = next_s;
}

/* --- taking what is new --- */

void renew_restart(struct engine *e)
{
	e->renewal.stale_until_s = 0;
	e->renewal.failed = false;
}

static void take(struct engine *e)
{
	struct diag diag;
	diag_init(&diag);
	struct snapshot *snapshot = NULL;
	int err = snapshot_renew(&snapshot, e->snapshot, e->epoch + 1, e->crls, &diag);
	start_log_diag(&diag);
	if (diag.errors > 0) {
		log_error("a CRL or list cannot be read: the ones of before stay in force for its "
		          "service");
	} else if (e->renewal.failed) {
		log_info("all CRLs and lists can be read again");
	}
	e->renewal.failed = diag.errors > 0;
	diag_release(&diag);
	if (err == E_END) {
		return;
	}
	if (err != E_OK) {
		log_error("CRLs and lists changed and could not be taken: %s; the ones of before "
		          "stay in force",
		          err_text(err));
		memset(e->renewal.applied, 0, sizeof(e->renewal.applied)); /* to be tried again */
		return;
	}
	e->epoch++;
	if (audit_record_config(&e->auditor, snapshot, "lists") != E_OK) {
		log_error("CRLs and lists changed and are not taken: the audit.config entry cannot "
		          "be written");
		snapshot_unref(&snapshot);
		memset(e->renewal.applied, 0, sizeof(e->renewal.applied)); /* to be tried again */
		return;
	}
	engine_adopt(e, snapshot);
	log_info("CRLs and lists changed: configuration %llu is in force",
	         (unsigned long long)snapshot_epoch(snapshot));
}

void renew_look(struct engine *e)
{
	uint8_t now[32];
	look(now, snapshot_config(e->snapshot));
	bool settled = memcmp(now, e->renewal.seen, sizeof(now)) == 0;
	memcpy(e->renewal.seen, now, sizeof(now));
	look_for_stale(e);
	if (!settled || memcmp(now, e->renewal.applied, sizeof(now)) == 0 ||
	    !journal_healthy(e->journal)) {
		return;
	}
	memcpy(e->renewal.applied, now, sizeof(now));
	take(e);
}
