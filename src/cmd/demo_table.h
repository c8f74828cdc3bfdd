/* The live table of the demo: handshake events as rows. Bytes of a peer never reach the terminal unescaped.
 *
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"

/* What the demo wants of an event; all strings fit or were cut, and are printable ASCII. */
struct demo_row {
	uint16_t source_port, destination_port;
	char time[16];
	char source[56];
	char server_name[64];
	char class[32];
	char decision[24];
	char subject[256];
};

struct demo_table {
	FILE *to;
	bool colour;
	int width; /* columns of the terminal; 0: no terminal, no cutting */
};

/* Reads one canonical event. False: it is not a tls-handshake event. */
bool demo_row_read(struct demo_row *row, struct slice event);

/* Colours only on a terminal and without NO_COLOR (no-color.org). */
void demo_table_init(struct demo_table *table, FILE *to);
void demo_table_head(const struct demo_table *table);
void demo_table_row(const struct demo_table *table, const struct demo_row *row);
/* A remark of one line below a row. */
void demo_table_remark(const struct demo_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
