#include "cmd/demo_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "cmd/demo_hello.h"

#define PATIENCE_MS 5000
#define HUGE_HELLO_BYTES 100000 /* above the limit on a ClientHello, 64 KiB */

#define CASE(on, name, does, shows, recorded, decided) \
	{DEMO_##on, name, DEMO_ACT_##does, DEMO_##shows, CLASS_##recorded, DECISION_##decided},
const struct demo_case demo_cases[] = {
#include "cmd/demo_cases.def"
};
#undef CASE
const size_t demo_case_count = sizeof(demo_cases) / sizeof(demo_cases[0]);

static const char request[] = "GET / HTTP/1.1\r\nHost: api.demo.test\r\nConnection: close\r\n\r\n";

int demo_connect(uint16_t port, int *fd, uint16_t *own_port)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s == -1) {
		return err_from_errno();
	}
	const struct timeval patience = {PATIENCE_MS / 1000, 0};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t len = sizeof(at);
	/* GnuTLS writes its flight in pieces; Nagle would hold the second one back for the server's delayed ACK. */
	const int one = 1;
	if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1 ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == -1 ||
	    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == -1 ||
	    connect(s, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    getsockname(s, (struct sockaddr *)&at, &len) == -1) {
		int err = err_from_errno();
		close(s);
		return err;
	}
	*fd = s;
	*own_port = ntohs(at.sin_port);
	return E_OK;
}

/* As much as the server takes: it may well hang up before the end. */
static void send_bytes(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0) {
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

/* Reads until the server hangs up; what it says first may be an alert record in plain. */
static void await_end(int fd, struct demo_dialled *out)
{
	uint8_t first[7];
	size_t have = 0;
	uint8_t more[4096];
	for (;;) {
		ssize_t n = have < sizeof(first) ? recv(fd, first + have, sizeof(first) - have, 0)
		                                 : recv(fd, more, sizeof(more), 0);
		if (n <= 0) {
			break;
		}
		if (have < sizeof(first)) {
			have += (size_t)n;
		}
	}
	if (have == sizeof(first) && first[0] == 21) {
		out->alert = first[6];
	}
}

static void write_hello(struct buf *out, const struct demo_case *what)
{
	static const uint16_t tls13[] = {0x0304, 0};
	static const uint16_t aead13[] = {0x1301, 0x1302, 0x1303, 0};
	static const uint16_t cbc[] = {0xc009, 0xc00a, 0xc013, 0xc014, 0};
	static const uint16_t x25519[] = {29, 23, 0};
	static const uint16_t brainpool[] = {31, 0}; /* RFC 8734 */
	struct demo_hello hello = {
		.server_name = what->server_name == NULL ? "api.demo.test" : what->server_name,
		.legacy_version = 0x0303,
		.ciphers = cbc,
		.groups = x25519,
	};
	switch (what->act) {
	case DEMO_ACT_OLD_TLS:
		hello.legacy_version = 0x0302;
		break;
	case DEMO_ACT_CBC_ONLY:
		break;
	case DEMO_ACT_BROKEN:
		demo_hello_write_broken(out);
		return;
	case DEMO_ACT_HUGE:
		demo_hello_write_huge(out, HUGE_HELLO_BYTES);
		return;
	case DEMO_ACT_ODD_GROUP:
		hello.groups = brainpool;
		/* fall through */
	default:
		hello.versions = tls13;
		hello.ciphers = aead13;
		break;
	}
	demo_hello_write(out, &hello);
}

static void act_raw(int fd, const struct demo_case *what, struct demo_dialled *out)
{
	if (what->act == DEMO_ACT_HTTP) {
		send_bytes(fd, request, sizeof(request) - 1);
		await_end(fd, out);
		return;
	}
	struct buf hello;
	buf_init(&hello, 2 * HUGE_HELLO_BYTES);
	write_hello(&hello, what);
	if (hello.err == E_OK) {
		send_bytes(fd, hello.data, what->act == DEMO_ACT_LEAVE ? hello.len / 2 : hello.len);
	}
	buf_release(&hello);
	if (what->act != DEMO_ACT_LEAVE) {
		await_end(fd, out);
	}
}

/* GnuTLS asks us instead of checking whether certificate and key belong together: that is how a stolen
 * certificate and one of random bytes get out. */
static int present(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                   gnutls_pcert_st **certs, unsigned *count, gnutls_ocsp_data_st **ocsp,
                   unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	(void)info;
	struct demo_identity *id = gnutls_session_get_ptr(session);
	*certs = id == NULL ? NULL : id->chain;
	*count = id == NULL ? 0 : id->chain_count;
	*key = id == NULL ? NULL : id->key;
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = 0;
	return 0;
}

static int reject(gnutls_session_t session)
{
	(void)session;
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int set_up(gnutls_session_t session, gnutls_certificate_credentials_t creds,
                  const struct demo_case *what)
{
	static const gnutls_datum_t odd = {(unsigned char *)"demo/0", 6};
	int code = gnutls_priority_set_direct(session, "NORMAL", NULL);
	if (code >= 0) {
		code = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, creds);
	}
	if (code >= 0 && what->server_name != NULL) {
		code = gnutls_server_name_set(session, GNUTLS_NAME_DNS, what->server_name,
		                              strlen(what->server_name));
	}
	if (code >= 0 && what->act == DEMO_ACT_ODD_ALPN) {
		code = gnutls_alpn_set_protocols(session, &odd, 1, 0);
	}
	if (what->act == DEMO_ACT_ALERT) {
		gnutls_session_set_verify_function(session, reject);
	} else {
		gnutls_session_set_verify_cert(session, what->server_name, 0);
	}
	gnutls_handshake_set_timeout(session, PATIENCE_MS);
	gnutls_record_set_timeout(session, PATIENCE_MS);
	return code;
}

static bool once_more(int code)
{
	return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static int converse(gnutls_session_t session, struct demo_dialled *out)
{
	int code;
	do {
		code = gnutls_handshake(session);
	} while (code < 0 && gnutls_error_is_fatal(code) == 0);
	if (code < 0) {
		return code;
	}
	ssize_t n;
	do {
		n = gnutls_record_send(session, request, sizeof(request) - 1);
	} while (once_more((int)n));

	char answer[1024];
	static const char good[] = "HTTP/1.1 200 ";
	size_t have = 0;
	/* In TLS 1.3 this is where the client learns that it was refused. */
	do {
		n = gnutls_record_recv(session, answer + have, sizeof(answer) - have);
		if (n > 0) {
			have += (size_t)n;
		}
	} while ((n > 0 && have < sizeof(answer)) || once_more((int)n));
	out->answered = have >= sizeof(good) - 1 && memcmp(answer, good, sizeof(good) - 1) == 0;
	return n < 0 ? (int)n : 0;
}

static int act_tls(int fd, const struct demo_case *what, struct demo_pki *pki,
                   struct demo_dialled *out)
{
	char root[PATH_MAX];
	if (snprintf(root, sizeof(root), "%s/root.pem", pki->dir) >= (int)sizeof(root)) {
		return GNUTLS_E_FILE_ERROR;
	}
	gnutls_certificate_credentials_t creds;
	int code = gnutls_certificate_allocate_credentials(&creds);
	if (code < 0) {
		return code;
	}
	gnutls_session_t session = NULL;
	code = gnutls_certificate_set_x509_trust_file(creds, root, GNUTLS_X509_FMT_PEM);
	if (code < 0) {
		goto free_creds;
	}
	gnutls_certificate_set_retrieve_function3(creds, present);
	code = gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
	if (code < 0) {
		goto free_creds;
	}
	gnutls_session_set_ptr(session, what->id == DEMO_NOBODY ? NULL : &pki->ids[what->id]);
	gnutls_transport_set_int(session, fd);
	code = set_up(session, creds, what);
	if (code < 0) {
		goto free_session;
	}
	code = converse(session, out);
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		out->alert = (int)gnutls_alert_get(session);
	} else if (what->act == DEMO_ACT_ALERT) {
		gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_UNKNOWN_CA);
		/* The rest of the server's flight is unread: closing now would reset our alert away. */
		shutdown(fd, SHUT_WR);
		await_end(fd, out);
	} else {
		gnutls_bye(session, GNUTLS_SHUT_WR);
	}
	/* How it ended is for the record to say; only our own failures count here. */
	code = 0;

free_session:
	gnutls_deinit(session);
free_creds:
	gnutls_certificate_free_credentials(creds);
	return code;
}

int demo_dial(struct demo_dialled *out, const struct demo_case *what, uint16_t port,
              struct demo_pki *pki)
{
	*out = (struct demo_dialled){.fd = -1, .alert = -1};
	int fd;
	int err = demo_connect(port, &fd, &out->port);
	if (err != E_OK) {
		return err;
	}
	int code = 0;
	switch (what->act) {
	case DEMO_ACT_SILENT:
		out->fd = fd;
		return E_OK;
	case DEMO_ACT_TLS:
	case DEMO_ACT_ODD_ALPN:
	case DEMO_ACT_ALERT:
		code = act_tls(fd, what, pki, out);
		break;
	default:
		act_raw(fd, what, out);
		break;
	}
	close(fd);
	if (code < 0) {
		log_error("demo: a client failed: %s", gnutls_strerror(code));
		return E_IO;
	}
	return E_OK;
}
