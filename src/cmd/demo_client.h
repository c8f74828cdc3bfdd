/* The clients of the demo: each dials once and does what its row in demo_cases.def says.
 *
 * Thread: one at a time. Calls block, at most some seconds each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/demo_pki.h"
#include "event/handshake.h"
#include "peer/classes.h"

enum demo_listener { DEMO_STRICT, DEMO_PASSTHROUGH, DEMO_LISTENER_COUNT };

enum demo_act {
	DEMO_ACT_TLS,       /* shakes hands and asks the back end for an answer */
	DEMO_ACT_ODD_ALPN,  /* the same, speaking a protocol nobody has heard of */
	DEMO_ACT_ALERT,     /* rejects the server's certificate */
	DEMO_ACT_SILENT,    /* connects and waits */
	DEMO_ACT_LEAVE,     /* leaves in the middle of its ClientHello */
	DEMO_ACT_HTTP,      /* speaks plain HTTP */
	DEMO_ACT_OLD_TLS,   /* offers TLS 1.1 at most */
	DEMO_ACT_CBC_ONLY,  /* offers nothing but CBC suites */
	DEMO_ACT_ODD_GROUP, /* offers a group that nobody serves */
	DEMO_ACT_BROKEN,    /* sends a ClientHello with a lie in it */
	DEMO_ACT_HUGE,      /* sends a ClientHello beyond every limit */
};

struct demo_case {
	enum demo_listener listener;
	const char *server_name; /* NULL: none is sent */
	enum demo_act act;
	enum demo_id id;
	enum peer_class class;
	enum decision decision;
};

extern const struct demo_case demo_cases[];
extern const size_t demo_case_count;

struct demo_dialled {
	uint16_t port; /* our own: what the event calls source.port */
	int fd;        /* -1, or kept open because closing it would say something */
	bool answered; /* the back end's answer came through */
	int alert;     /* that ended it; -1: none */
};

/* Connects to 127.0.0.1:port. On E_OK *fd is the caller's to close. */
int demo_connect(uint16_t port, int *fd, uint16_t *own_port);
/* E_OK whenever the connection was made, however it went. */
int demo_dial(struct demo_dialled *out, const struct demo_case *what, uint16_t port,
              struct demo_pki *pki);
