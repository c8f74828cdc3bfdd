#include "tls/hello_parse.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "unit.h"

/* A ClientHello body by hand: legacy version 1.2, two suites, the given extensions. */
struct builder {
	struct buf b;
	size_t extensions_at;
};

static void put_u16(struct buf *b, unsigned n)
{
	buf_append_byte(b, (uint8_t)(n >> 8));
	buf_append_byte(b, (uint8_t)n);
}

static void begin(struct builder *h)
{
	static const uint8_t random[32];
	buf_init(&h->b, 100000);
	put_u16(&h->b, 0x0303);
	buf_append(&h->b, random, sizeof(random));
	buf_append_byte(&h->b, 0);
	put_u16(&h->b, 4);
	put_u16(&h->b, 0x1301);
	put_u16(&h->b, 0xc02b);
	buf_append_byte(&h->b, 1);
	buf_append_byte(&h->b, 0);
	h->extensions_at = h->b.len;
	put_u16(&h->b, 0);
}

static void extension(struct builder *h, unsigned id, struct slice content)
{
	put_u16(&h->b, id);
	put_u16(&h->b, (unsigned)content.len);
	buf_append_slice(&h->b, content);
	size_t all = h->b.len - h->extensions_at - 2;
	h->b.data[h->extensions_at] = (uint8_t)(all >> 8);
	h->b.data[h->extensions_at + 1] = (uint8_t)all;
}

static int parse_and_release(struct builder *h, struct hello *hello)
{
	struct hello_offer offer;
	int err = hello_parse(hello, &offer, buf_slice(&h->b));
	buf_release(&h->b);
	return err;
}

static void name_is_read_and_folded(void)
{
	struct builder h;
	begin(&h);
	extension(&h, 0,
	          SLICE("\x00\x0e\x00\x00\x0b"
	                "API.Example"));
	struct hello hello;
	CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_OK);
	CU_ASSERT(hello.seen && hello.has_server_name);
	CU_ASSERT(slice_equal(slice_of(hello.server_name, hello.server_name_len),
	                      SLICE("api.example")));
	CU_ASSERT_EQUAL(hello.cipher_count, 2);
	CU_ASSERT_EQUAL(hello.version_count, 1);
	CU_ASSERT_EQUAL(hello.versions[0], 0x0303);
}

static void two_names_are_refused(void)
{
	struct builder h;
	begin(&h);
	extension(&h, 0,
	          SLICE("\x00\x08\x00\x00\x01"
	                "a"
	                "\x00\x00\x01"
	                "b"));
	struct hello hello;
	CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_INVALID);
	begin(&h);
	extension(&h, 0,
	          SLICE("\x00\x04\x00\x00\x01"
	                "a"));
	extension(&h, 0,
	          SLICE("\x00\x04\x00\x00\x01"
	                "b"));
	CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_INVALID);
	CU_ASSERT(slice_equal(slice_of(hello.server_name, hello.server_name_len), SLICE("a")));
}

static void empty_or_cut_names_are_refused(void)
{
	static const struct slice bad[] = {
		SLICE("\x00\x03\x00\x00\x00"),
		SLICE("\x00\x04\x00\x00\x02"
	              "a"),
		SLICE("\x00\x05\x00\x00\x01"
	              "a"),
		SLICE("\x00"),
		SLICE(""),
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct builder h;
		begin(&h);
		extension(&h, 0, bad[i]);
		struct hello hello;
		CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_INVALID);
	}
}

static void long_name_is_kept_in_part(void)
{
	uint8_t content[5 + 60000];
	memset(content, 'X', sizeof(content));
	static const uint8_t head[] = {0xea, 0x63, 0, 0xea, 0x60};
	memcpy(content, head, sizeof(head));
	struct builder h;
	begin(&h);
	extension(&h, 0, slice_of(content, sizeof(content)));
	struct hello hello;
	CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_OK);
	CU_ASSERT_EQUAL(hello.server_name_len, HELLO_NAME_MAX);
	CU_ASSERT_EQUAL(hello.server_name[HELLO_NAME_MAX - 1], 'x');
}

static void versions_leave_out_grease(void)
{
	struct builder h;
	begin(&h);
	extension(&h, 43, SLICE("\x06\x0a\x0a\x03\x04\x03\x03"));
	struct hello hello;
	CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_OK);
	CU_ASSERT_EQUAL(hello.version_count, 2);
	CU_ASSERT_EQUAL(hello.versions[0], 0x0304);
	CU_ASSERT_EQUAL(hello.versions[1], 0x0303);
}

static void alpn_is_cut_at_whole_names(void)
{
	uint8_t content[2 + 3 * 101];
	content[0] = (3 * 101) >> 8;
	content[1] = (3 * 101) & 255;
	for (size_t i = 0; i < 3; i++) {
		memset(content + 2 + i * 101, 'p', 101);
		content[2 + i * 101] = 100;
	}
	struct builder h;
	begin(&h);
	extension(&h, 16, slice_of(content, sizeof(content)));
	struct hello hello;
	CU_ASSERT_EQUAL(parse_and_release(&h, &hello), E_OK);
	CU_ASSERT_EQUAL(hello.alpn_len, 202);
}

static void every_prefix_is_refused_or_shorter(void)
{
	struct builder h;
	begin(&h);
	extension(&h, 0,
	          SLICE("\x00\x04\x00\x00\x01"
	                "a"));
	extension(&h, 16, SLICE("\x00\x03\x02h2"));
	extension(&h, 10, SLICE("\x00\x02\x00\x1d"));
	extension(&h, 13, SLICE("\x00\x02\x04\x03"));
	size_t before_extensions = h.extensions_at;
	for (size_t len = 0; len < h.b.len; len++) {
		/* An exact copy, so that a sanitizer sees a byte read behind it. */
		uint8_t *copy = malloc(len + (len == 0));
		memcpy(copy, h.b.data, len);
		struct hello hello;
		struct hello_offer offer;
		int err = hello_parse(&hello, &offer, slice_of(copy, len));
		/* Without extensions at all a hello is whole. */
		CU_ASSERT_EQUAL(err, len == before_extensions ? E_OK : E_INVALID);
		free(copy);
	}
	buf_release(&h.b);
}

static const struct unit_test tests[] = {
	{"the name is read and folded", name_is_read_and_folded},
	{"two names are refused", two_names_are_refused},
	{"empty or cut names are refused", empty_or_cut_names_are_refused},
	{"a long name is kept in part", long_name_is_kept_in_part},
	{"versions leave out GREASE", versions_leave_out_grease},
	{"ALPN is cut at whole names", alpn_is_cut_at_whole_names},
	{"every prefix is refused or shorter", every_prefix_is_refused_or_shorter},
};
UNIT_MAIN("tls/hello", tests)
