/* The back end of the demo: a thread that answers every request with 200 and one line. Thread: main starts and stops it. */
#pragma once

#include <stdint.h>

struct demo_backend;

/* Listens on a free port of 127.0.0.1. E_NOMEM, E_LIMIT, E_IO, ... */
int demo_backend_start(struct demo_backend **out, uint16_t *port);
/* Takes *backend and leaves NULL there; NULL is fine. Joins the thread. */
void demo_backend_stop(struct demo_backend **backend);
