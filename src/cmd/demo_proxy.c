#include "cmd/demo_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#define STOP_PATIENCE_MS 15000

/* The same name on both listeners, by another service each: strict here, permissive there. */
static const char listeners[] =
	"listeners:\n"
	"  - {bind: \"127.0.0.1:%u\", services: [strict, open, picky, partner, listed]}\n"
	"  - {bind: \"127.0.0.1:%u\", services: [passthrough, unchecked]}\n";

static const struct {
	const char *name;
	const char *server_name;
	const char *tls;
	const char *client;
} services[] = {
	{"strict", "api.demo.test", "",
         "verify: required, ca: [dev-ca.pem], max_depth: 1, crl: [dev.crl], deny: [deny.txt]"},
	{"open", "open.demo.test", "", "verify: none"},
	{"picky", "picky.demo.test", "    tls: {alpn: [demo/1]}\n",
         "verify: required, ca: [dev-ca.pem]"},
	{"partner", "partner.demo.test", "",
         "verify: required, ca: [root.pem], issuers: [tst-ca.pem]"},
	{"listed", "listed.demo.test", "", "verify: required, ca: [dev-ca.pem], allow: [allow.txt]"},
	{"passthrough", "api.demo.test", "", "verify: passthrough, ca: [dev-ca.pem]"},
	{"unchecked", "unchecked.demo.test", "", "verify: passthrough"},
};

/* A YAML double-quoted scalar. Bytes above ASCII are left as they are: a path is what it is. */
static void put_quoted(struct buf *out, const char *text)
{
	buf_append_byte(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\') {
			buf_append_byte(out, '\\');
		}
		if ((unsigned char)*text < 0x20) {
			buf_printf(out, "\\x%02x", (unsigned)*text);
		} else {
			buf_append_byte(out, (uint8_t)*text);
		}
	}
	buf_append_byte(out, '"');
}

static void put_configuration(struct buf *out, const struct demo_proxy *proxy, uint16_t backend_port)
{
	buf_append_text(out, "# Made by tlscribe demo; gone when it ends.\n"
	                     "node: demo\norigin: tlscribe.demo\nworkers: 1\nstate: ");
	put_quoted(out, proxy->state);
	buf_printf(out, "\nlimits: {handshake_time: %ds}\ntimeouts: {drain: 2s}\n",
	           DEMO_HANDSHAKE_S);
	buf_printf(out, listeners, (unsigned)proxy->ports[DEMO_STRICT],
	           (unsigned)proxy->ports[DEMO_PASSTHROUGH]);
	buf_append_text(out, "services:\n");
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		buf_printf(out,
		           "  - name: %s\n"
		           "    server_names: [%s]\n"
		           "    certificates: [{chain: server.pem, key: server.key}]\n"
		           "%s"
		           "    client: {%s}\n"
		           "    mode: tcp\n"
		           "    upstream: {servers: [\"127.0.0.1:%u\"]}\n",
		           services[i].name, services[i].server_name, services[i].tls,
		           services[i].client, (unsigned)backend_port);
	}
	buf_append_text(out, "journal: {record: before-traffic}\n");
}

static int write_configuration(const struct demo_proxy *proxy, uint16_t backend_port)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/tlscribe.yaml", proxy->dir) >= (int)sizeof(path)) {
		return E_LIMIT;
	}
	struct buf text;
	buf_init(&text, 65536);
	put_configuration(&text, proxy, backend_port);
	int err = text.err;
	FILE *file = err == E_OK ? fopen(path, "wxe") : NULL;
	if (err == E_OK && file == NULL) {
		err = err_from_errno();
	}
	if (file != NULL) {
		bool good = fwrite(text.data, 1, text.len, file) == text.len;
		if (fclose(file) != 0 || !good) {
			err = E_IO;
		}
	}
	buf_release(&text);
	return err;
}

/* Free at this moment; both are held until both are known, so that they differ. */
static int pick_ports(uint16_t ports[DEMO_LISTENER_COUNT])
{
	int fds[DEMO_LISTENER_COUNT];
	int err = E_OK;
	for (int i = 0; i < DEMO_LISTENER_COUNT; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct sockaddr_in at = {.sin_family = AF_INET};
		at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		socklen_t len = sizeof(at);
		if (fds[i] == -1 || bind(fds[i], (struct sockaddr *)&at, sizeof(at)) == -1 ||
		    getsockname(fds[i], (struct sockaddr *)&at, &len) == -1) {
			err = err_from_errno();
		}
		ports[i] = ntohs(at.sin_port);
	}
	for (int i = 0; i < DEMO_LISTENER_COUNT; i++) {
		if (fds[i] != -1) {
			close(fds[i]);
		}
	}
	return err;
}

/* Between fork and exec: async-signal-safe calls only. */
_Noreturn static void become_proxy(const char *config, int log_fd, pid_t parent)
{
	/* Ctrl-C goes to the terminal's whole group; the child is ended by us, in order. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) {
		_exit(1);
	}
	signal(SIGPIPE, SIG_DFL);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(log_fd, 1);
	dup2(log_fd, 2);
	execl("/proc/self/exe", "tlscribe", "run", "-c", config, (char *)NULL);
	_exit(127);
}

int demo_proxy_start(struct demo_proxy *proxy, const char *dir, const char *state,
                     uint16_t backend_port)
{
	*proxy = (struct demo_proxy){.dir = dir, .state = state};
	char config[PATH_MAX], log[PATH_MAX];
	if (snprintf(config, sizeof(config), "%s/tlscribe.yaml", dir) >= (int)sizeof(config) ||
	    snprintf(log, sizeof(log), "%s/tlscribe.log", dir) >= (int)sizeof(log)) {
		return E_LIMIT;
	}
	int err = pick_ports(proxy->ports);
	if (err == E_OK) {
		err = write_configuration(proxy, backend_port);
	}
	if (err != E_OK) {
		log_error("demo: cannot prepare the proxy: %s", err_text(err));
		return err;
	}
	int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd == -1) {
		err = err_from_errno();
		log_error("demo: %s: %s", log, err_text(err));
		return err;
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		become_proxy(config, log_fd, parent);
	}
	err = pid == -1 ? err_from_errno() : E_OK;
	close(log_fd);
	if (err != E_OK) {
		log_error("demo: cannot start the proxy: %s", err_text(err));
		return err;
	}
	proxy->pid = pid;
	return E_OK;
}

bool demo_proxy_alive(struct demo_proxy *proxy)
{
	if (proxy->pid == 0) {
		return false;
	}
	pid_t gone = waitpid(proxy->pid, &proxy->status, WNOHANG);
	if (gone == proxy->pid || (gone == -1 && errno == ECHILD)) {
		proxy->pid = 0;
	}
	return proxy->pid != 0;
}

void demo_proxy_show_log(const struct demo_proxy *proxy)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/tlscribe.log", proxy->dir) >= (int)sizeof(path)) {
		return;
	}
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return;
	}
	char line[1024];
	while (fgets(line, sizeof(line), file) != NULL) {
		fputs(line, stderr);
	}
	fclose(file);
}

void demo_proxy_stop(struct demo_proxy *proxy)
{
	if (!demo_proxy_alive(proxy)) {
		return;
	}
	kill(proxy->pid, SIGTERM);
	const struct timespec nap = {0, 20 * 1000 * 1000};
	for (int waited = 0; waited < STOP_PATIENCE_MS; waited += 20) {
		if (!demo_proxy_alive(proxy)) {
			return;
		}
		nanosleep(&nap, NULL);
	}
	log_warning("demo: the proxy did not stop in time");
	kill(proxy->pid, SIGKILL);
	while (waitpid(proxy->pid, &proxy->status, 0) == -1 && errno == EINTR) {
	}
	proxy->pid = 0;
}
