/* Inside of value_check(): the formats of HTTP, and what they share with the others. Each brings `text` into its one form in place, and
 * returns NULL or why it is wrong, to go behind the value in a sentence.
 *
 * Thread: any. */
#pragma once

#include "config/value.h"

/* A name of labels, as in RFC 1123. */
const char *format_host(const char *name);
const char *format_port(const char *text);
/* An IPv4 or IPv6 address without brackets. */
bool format_is_ip(const char *text);
void format_lower(char *text);

const char *format_header(char *text);
const char *format_path(char *text);
const char *format_target(char *text);
const char *format_authority(char *text);
const char *format_route_host(char *text);
const char *format_url(char *text);
const char *format_fetch(char *text);
const char *format_fetch_prefix(char *text);
