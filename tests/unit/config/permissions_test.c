#include "config/permissions.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "unit.h"

/* A folder with a certificate, a key, a CA and a state folder, and a configuration that names them. */
struct site {
	char folder[32];
	struct config *config;
	struct diag diag;
};

static void make_file(const struct site *site, const char *name, mode_t mode)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", site->folder, name);
	FILE *file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fclose(file);
	CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

static void set_mode(const struct site *site, const char *name, mode_t mode)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", site->folder, name);
	CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

/* As root, so that whoever is tried as nobody only misses what the test takes away. */
static void give_to_nobody(const struct site *site, const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", site->folder, name);
	if (geteuid() == 0) {
		CU_ASSERT_EQUAL(chown(path, getpwnam("nobody")->pw_uid, (gid_t)-1), 0);
	}
}

static void site_init(struct site *site, const char *user)
{
	strcpy(site->folder, "/tmp/config-perm-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(site->folder));
	CU_ASSERT_EQUAL(chmod(site->folder, 0755), 0);
	make_file(site, "c.pem", 0644);
	make_file(site, "ca.pem", 0644);
	make_file(site, "k.pem", 0600);
	make_file(site, "i.pem", 0644);
	make_file(site, "a.crl", 0644);
	make_file(site, "allow", 0644);
	make_file(site, "deny", 0644);
	make_file(site, "bc.pem", 0644);
	make_file(site, "bca.pem", 0644);
	make_file(site, "bk.pem", 0600);
	give_to_nobody(site, "bk.pem");
	char text[2048];
	snprintf(text, sizeof(text), "%s/crls", site->folder);
	CU_ASSERT_EQUAL(mkdir(text, 0755), 0);
	make_file(site, "crls/b.crl", 0644);
	make_file(site, "crls/.hidden", 0600);
	snprintf(text, sizeof(text), "%s/state", site->folder);
	CU_ASSERT_EQUAL(mkdir(text, 0777), 0);
	set_mode(site, "state", 0777);
	snprintf(text, sizeof(text),
	         "state: %s/state\n"
	         "user: %s\n"
	         "listeners: [{bind: \"127.0.0.1:1\"}]\n"
	         "services:\n"
	         "  - name: a\n"
	         "    default: true\n"
	         "    certificates: [{chain: %s/c.pem, key: %s/k.pem}]\n"
	         "    client: {verify: required, ca: [%s/ca.pem], issuers: [%s/i.pem],\n"
	         "             crl: [%s/a.crl, %s/crls/], allow: [%s/allow], deny: [%s/deny],\n"
	         "             crl_fetch: {urls: [\"http://ca.example/a.crl\"]}}\n"
	         "    mode: http\n"
	         "    upstream: {servers: [\"b:1\"], tls: {ca: [%s/bca.pem]}}\n"
	         "    routes:\n"
	         "      - path: /x\n"
	         "        upstream: {servers: [\"b:1\"], tls: {ca: [%s/bca.pem],\n"
	         "          certificate: {chain: %s/bc.pem, key: %s/bk.pem}}}\n",
	         site->folder, user, site->folder, site->folder, site->folder, site->folder,
	         site->folder, site->folder, site->folder, site->folder, site->folder, site->folder,
	         site->folder, site->folder);
	diag_init(&site->diag);
	CU_ASSERT_EQUAL_FATAL(
		config_parse(&site->config, "c.yaml", text, strlen(text), &site->diag), E_OK);
}

static void site_release(struct site *site)
{
	static const char *const names[] = {"c.pem",   "ca.pem", "k.pem",      "bc.pem",
	                                    "bca.pem", "bk.pem", "i.pem",      "a.crl",
	                                    "allow",   "deny",   "crls/b.crl", "crls/.hidden"};
	char path[128];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", site->folder, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/crls", site->folder);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/state", site->folder);
	unlink(path);
	rmdir(path);
	rmdir(site->folder);
	config_free(&site->config);
	diag_release(&site->diag);
}

/* Whether exactly this was said; %s is the folder. */
static void check_said(const struct site *site, const char *format)
{
	char expected[512];
	const char *hole = strstr(format, "FOLDER");
	if (hole == NULL) {
		snprintf(expected, sizeof(expected), "%s", format);
	} else {
		snprintf(expected, sizeof(expected), "%.*s%s%s", (int)(hole - format), format,
		         site->folder, hole + 6);
	}
	char *said = fixture_said(&site->diag);
	const char *sentence = strstr(said, ": ");
	if (strcmp(sentence == NULL ? "" : sentence + 2, expected) != 0) {
		fprintf(stderr, "\nsaid %s, expected %s\n", said, expected);
	}
	CU_ASSERT_STRING_EQUAL(sentence == NULL ? "" : sentence + 2, expected);
	free(said);
}

static void a_key_for_its_owner_alone_is_good(void)
{
	struct site site;
	site_init(&site, "null");
	CU_ASSERT_EQUAL(config_check_permissions(site.config, &site.diag), E_OK);
	check_said(&site, "");
	site_release(&site);
}

static void a_key_that_others_can_read_is_warned_of(void)
{
	struct site site;
	site_init(&site, "null");
	set_mode(&site, "k.pem", 0604);
	CU_ASSERT_EQUAL(config_check_permissions(site.config, &site.diag), E_OK);
	check_said(&site, "warning: the private key FOLDER/k.pem can be read by every user of this "
	                  "machine\n");
	CU_ASSERT_EQUAL(site.diag.first->at.line, 7);
	site_release(&site);
}

static void a_key_for_a_group_is_good(void)
{
	struct site site;
	site_init(&site, "null");
	set_mode(&site, "k.pem", 0640);
	CU_ASSERT_EQUAL(config_check_permissions(site.config, &site.diag), E_OK);
	check_said(&site, "");
	site_release(&site);
}

/* Without root nobody can become somebody else: then the promise is the warning, or silence for whoever is it already. */
static void check_as_nobody(struct site *site, const char *as_root)
{
	if (geteuid() == 0) {
		CU_ASSERT_EQUAL(config_check_permissions(site->config, &site->diag),
		                as_root[0] == '\0' ? E_OK : E_INVALID);
		check_said(site, as_root);
	} else if (geteuid() == getpwnam("nobody")->pw_uid) {
		CU_ASSERT_EQUAL(config_check_permissions(site->config, &site->diag), E_OK);
		check_said(site, "");
	} else {
		CU_ASSERT_EQUAL(config_check_permissions(site->config, &site->diag), E_OK);
		check_said(site, "warning: user: only root can become nobody, so what that user "
		                 "can read was not tried\n");
	}
}

static void a_key_that_the_user_cannot_read_is_an_error(void)
{
	struct site site;
	site_init(&site, "nobody");
	check_as_nobody(&site,
	                "key: FOLDER/k.pem cannot be read by user nobody: Permission denied\n");
	site_release(&site);
}

static void a_ca_that_the_user_cannot_read_is_an_error(void)
{
	struct site site;
	site_init(&site, "nobody");
	set_mode(&site, "ca.pem", 0600);
	char path[128];
	snprintf(path, sizeof(path), "%s/k.pem", site.folder);
	/* What is missing for everybody is left to whoever opens it. */
	unlink(path);
	check_as_nobody(&site,
	                "ca: FOLDER/ca.pem cannot be read by user nobody: Permission denied\n");
	site_release(&site);
}

static void a_key_for_back_ends_that_others_can_read_is_warned_of(void)
{
	struct site site;
	site_init(&site, "null");
	set_mode(&site, "bk.pem", 0604);
	CU_ASSERT_EQUAL(config_check_permissions(site.config, &site.diag), E_OK);
	check_said(&site,
	           "warning: the private key FOLDER/bk.pem can be read by every user of this "
	           "machine\n");
	CU_ASSERT_EQUAL(site.diag.first->at.line, 16);
	site_release(&site);
}

/* Takes k.pem away, which nobody cannot read, and `name` from nobody. */
static void check_file(const char *name, const char *as_root)
{
	struct site site;
	char path[128];
	site_init(&site, "nobody");
	snprintf(path, sizeof(path), "%s/k.pem", site.folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s", site.folder, name);
	unlink(path);
	make_file(&site, name, 0600);
	check_as_nobody(&site, as_root);
	site_release(&site);
}

static void a_key_for_back_ends_that_the_user_cannot_read_is_an_error(void)
{
	check_file("bk.pem",
	           "key: FOLDER/bk.pem cannot be read by user nobody: Permission denied\n");
}

static void a_certificate_for_back_ends_that_the_user_cannot_read_is_an_error(void)
{
	check_file("bc.pem", "certificate: FOLDER/bc.pem cannot be read by user nobody: "
	                     "Permission denied\n");
}

static void lists_that_the_user_cannot_read_are_errors(void)
{
	check_file("i.pem",
	           "issuers: FOLDER/i.pem cannot be read by user nobody: Permission denied\n");
	check_file("a.crl", "crl: FOLDER/a.crl cannot be read by user nobody: Permission denied\n");
	check_file("allow",
	           "allow: FOLDER/allow cannot be read by user nobody: Permission denied\n");
	check_file("deny", "deny: FOLDER/deny cannot be read by user nobody: Permission denied\n");
}

static void a_file_of_a_folder_that_the_user_cannot_read_is_an_error(void)
{
	check_file("crls/b.crl",
	           "crl: FOLDER/crls/b.crl cannot be read by user nobody: Permission denied\n");
}

static void a_folder_that_the_user_cannot_list_is_an_error(void)
{
	struct site site;
	char path[128];
	site_init(&site, "nobody");
	snprintf(path, sizeof(path), "%s/k.pem", site.folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/crls/b.crl", site.folder);
	unlink(path);
	set_mode(&site, "crls", 0711);
	check_as_nobody(&site,
	                "crl: FOLDER/crls/ cannot be read by user nobody: Permission denied\n");
	site_release(&site);
}

static void a_state_folder_that_the_user_cannot_write_is_an_error(void)
{
	struct site site;
	site_init(&site, "nobody");
	char path[128];
	snprintf(path, sizeof(path), "%s/k.pem", site.folder);
	unlink(path);
	set_mode(&site, "state", 0755);
	check_as_nobody(&site,
	                "state: FOLDER/state cannot be used by user nobody: Permission denied\n");
	site_release(&site);
}

static void fetched_lists_that_the_user_cannot_replace_are_an_error(void)
{
	struct site site;
	site_init(&site, "nobody");
	char path[128];
	snprintf(path, sizeof(path), "%s/k.pem", site.folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/state/crl", site.folder);
	CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
	check_as_nobody(&site,
	                "crl_fetch: FOLDER/state/crl cannot be used by user nobody: Permission "
	                "denied\n");
	rmdir(path);
	site_release(&site);
}

static void a_user_that_can_read_all_is_good(void)
{
	struct site site;
	site_init(&site, "nobody");
	char path[128];
	snprintf(path, sizeof(path), "%s/k.pem", site.folder);
	unlink(path);
	check_as_nobody(&site, "");
	site_release(&site);
}

static void a_state_that_is_no_folder_is_an_error(void)
{
	struct site site;
	site_init(&site, "null");
	char path[128];
	snprintf(path, sizeof(path), "%s/state", site.folder);
	rmdir(path);
	make_file(&site, "state", 0644);
	CU_ASSERT_EQUAL(config_check_permissions(site.config, &site.diag), E_INVALID);
	check_said(&site, "state: FOLDER/state is not a folder\n");
	site_release(&site);
}

static void a_state_folder_that_is_not_there_yet_is_good(void)
{
	struct site site;
	site_init(&site, "null");
	char path[128];
	snprintf(path, sizeof(path), "%s/state", site.folder);
	rmdir(path);
	CU_ASSERT_EQUAL(config_check_permissions(site.config, &site.diag), E_OK);
	check_said(&site, "");
	site_release(&site);
}

static const struct unit_test tests[] = {
	{"a key for its owner alone is good", a_key_for_its_owner_alone_is_good},
	{"a key that others can read is warned of", a_key_that_others_can_read_is_warned_of},
	{"a key for a group is good", a_key_for_a_group_is_good},
	{"a key that the user cannot read is an error", a_key_that_the_user_cannot_read_is_an_error},
	{"a CA that the user cannot read is an error", a_ca_that_the_user_cannot_read_is_an_error},
	{"a key for back ends that others can read is warned of",
         a_key_for_back_ends_that_others_can_read_is_warned_of},
	{"a key for back ends that the user cannot read is an error",
         a_key_for_back_ends_that_the_user_cannot_read_is_an_error},
	{"a certificate for back ends that the user cannot read is an error",
         a_certificate_for_back_ends_that_the_user_cannot_read_is_an_error},
	{"lists that the user cannot read are errors", lists_that_the_user_cannot_read_are_errors},
	{"a file of a folder that the user cannot read is an error",
         a_file_of_a_folder_that_the_user_cannot_read_is_an_error},
	{"a folder that the user cannot list is an error",
         a_folder_that_the_user_cannot_list_is_an_error},
	{"a state folder that the user cannot write is an error",
         a_state_folder_that_the_user_cannot_write_is_an_error},
	{"fetched lists that the user cannot replace are an error",
         fetched_lists_that_the_user_cannot_replace_are_an_error},
	{"a user that can read all is good", a_user_that_can_read_all_is_good},
	{"a state that is no folder is an error", a_state_that_is_no_folder_is_an_error},
	{"a state folder that is not there yet is good",
         a_state_folder_that_is_not_there_yet_is_good},
};
UNIT_MAIN("config/permissions", tests)
