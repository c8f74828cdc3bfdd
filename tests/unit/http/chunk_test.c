/* The chunked coding, whole and in pieces, by the vectors of tests/data/http. */
#include "http/chunk.h"
#include "unit.h"
#include "vectors.h"

#define TRAILER_MAX 4096

static const struct http_limits limits = {.line = 0, .head = TRAILER_MAX, .fields = 100};

static json_t *bodies;

struct decoding {
	struct http_chunked chunked;
	struct buf body;
	enum http_chunk last;
	size_t taken;
};

static void decoding_init(struct decoding *d)
{
	*d = (struct decoding){.last = HTTP_CHUNK_MORE};
	http_chunked_init(&d->chunked, TRAILER_MAX);
	buf_init(&d->body, 1 << 20);
}

static void decoding_release(struct decoding *d)
{
	http_chunked_release(&d->chunked);
	buf_release(&d->body);
}

/* Until MORE, END or BAD. */
static void decode(struct decoding *d, struct slice bytes)
{
	struct slice rest = bytes, data = {0};
	while ((d->last = http_chunked_next(&d->chunked, &rest, &data)) == HTTP_CHUNK_DATA) {
		CU_ASSERT_TRUE(data.len > 0 && data.data >= bytes.data &&
		               data.data + data.len == rest.data);
		buf_append_slice(&d->body, data);
	}
	CU_ASSERT_TRUE(d->last != HTTP_CHUNK_MORE || rest.len == 0);
	d->taken += bytes.len - rest.len;
}

/* Good so far; the reader of fields has the last word. */
static bool trailer_is_good(const struct decoding *d, size_t *fields)
{
	static struct http_field memory[HTTP_FIELDS_MAX];
	struct http_head head = {.fields = memory};
	struct slice trailer = http_chunked_trailer(&d->chunked);
	enum http_parsed parsed =
		trailer.len == 0 ? HTTP_DONE : http_trailer_parse(&head, &limits, trailer);
	CU_ASSERT_NOT_EQUAL(parsed, HTTP_MORE);
	CU_ASSERT_TRUE(parsed != HTTP_DONE || head.bytes == trailer.len);
	*fields = head.field_count;
	return parsed == HTTP_DONE;
}

static void check(const json_t *vector, const struct decoding *d, struct slice bytes)
{
	bool good = json_integer_value(json_object_get(vector, "status")) == 0;
	size_t fields = 0;
	if (!good && !json_is_true(json_object_get(vector, "in_trailer"))) {
		vectors_check(vector, "not refused", d->last == HTTP_CHUNK_BAD);
		vectors_check(vector, "without a reason", d->chunked.bad != NULL);
		return;
	}
	vectors_check(vector, "not over", d->last == HTTP_CHUNK_END);
	if (d->last != HTTP_CHUNK_END) {
		return;
	}
	vectors_check(vector, "trailer fields", trailer_is_good(d, &fields) == good);
	vectors_check(vector, "body", vectors_agree_bytes(vector, "body", buf_slice(&d->body)));
	vectors_check(vector, "trailer",
	              vectors_agree_bytes(vector, "trailer", http_chunked_trailer(&d->chunked)));
	vectors_check(vector, "fields", !good || vectors_agree_number(vector, "fields", fields));
	struct slice rest = slice_of(bytes.data + d->taken, bytes.len - d->taken);
	vectors_check(vector, "rest", vectors_agree_bytes(vector, "rest", rest));
}

/* With `step` bytes at once, each piece of its own memory. */
static void check_all(size_t step)
{
	size_t i;
	json_t *vector;
	json_array_foreach(json_object_get(bodies, "vectors"), i, vector)
	{
		struct slice bytes = vectors_bytes(json_object_get(vector, "raw"));
		struct decoding d;
		decoding_init(&d);
		for (size_t at = 0; at < bytes.len && d.last == HTTP_CHUNK_MORE; at += step) {
			size_t len = bytes.len - at < step ? bytes.len - at : step;
			uint8_t *copy = malloc(len);
			BUG_IF(copy == NULL);
			memcpy(copy, bytes.data + at, len);
			decode(&d, slice_of(copy, len));
			free(copy);
		}
		check(vector, &d, bytes);
		decoding_release(&d);
		free((void *)bytes.data);
	}
}

static void every_vector_is_decoded_or_refused(void)
{
	check_all(1 << 20);
}

static void every_vector_in_single_bytes_comes_out_the_same(void)
{
	check_all(1);
}

static void every_vector_in_pieces_of_seven_comes_out_the_same(void)
{
	check_all(7);
}

static void data_is_handed_on_before_its_chunk_is_whole(void)
{
	struct decoding d;
	decoding_init(&d);

	decode(&d, SLICE("7fffffffffffffff\r\nabc"));
	CU_ASSERT_EQUAL(d.last, HTTP_CHUNK_MORE);
	CU_ASSERT_TRUE(slice_equal(buf_slice(&d.body), SLICE("abc")));
	CU_ASSERT_EQUAL(d.chunked.left, INT64_MAX - 3);
	decoding_release(&d);
}

static void what_is_behind_the_end_is_left(void)
{
	struct http_chunked c;
	struct slice bytes = SLICE("0\r\n\r\nGET"), data;
	http_chunked_init(&c, TRAILER_MAX);

	CU_ASSERT_EQUAL(http_chunked_next(&c, &bytes, &data), HTTP_CHUNK_END);
	CU_ASSERT_TRUE(slice_equal(bytes, SLICE("GET")));
	CU_ASSERT_EQUAL(http_chunked_next(&c, &bytes, &data), HTTP_CHUNK_END);
	CU_ASSERT_TRUE(slice_equal(bytes, SLICE("GET")));
	http_chunked_release(&c);
}

static void a_broken_body_stays_broken(void)
{
	struct http_chunked c;
	struct slice bytes = SLICE("x"), good = SLICE("0\r\n\r\n"), data;
	http_chunked_init(&c, TRAILER_MAX);

	CU_ASSERT_EQUAL(http_chunked_next(&c, &bytes, &data), HTTP_CHUNK_BAD);
	CU_ASSERT_EQUAL(http_chunked_next(&c, &good, &data), HTTP_CHUNK_BAD);
	CU_ASSERT_EQUAL(good.len, 5);
	http_chunked_release(&c);
}

static void a_body_without_trailer_takes_no_memory(void)
{
	struct decoding d;
	decoding_init(&d);

	decode(&d, SLICE("5;a=b\r\nhello\r\n0\r\n\r\n"));
	CU_ASSERT_EQUAL(d.last, HTTP_CHUNK_END);
	CU_ASSERT_PTR_NULL(d.chunked.trailer.data);
	CU_ASSERT_EQUAL(http_chunked_trailer(&d.chunked).len, 0);
	decoding_release(&d);
}

static const struct unit_test tests[] = {
	{"every vector is decoded or refused", every_vector_is_decoded_or_refused},
	{"every vector in single bytes comes out the same",
         every_vector_in_single_bytes_comes_out_the_same},
	{"every vector in pieces of seven comes out the same",
         every_vector_in_pieces_of_seven_comes_out_the_same},
	{"data is handed on before its chunk is whole", data_is_handed_on_before_its_chunk_is_whole},
	{"what is behind the end is left", what_is_behind_the_end_is_left},
	{"a broken body stays broken", a_broken_body_stays_broken},
	{"a body without trailer takes no memory", a_body_without_trailer_takes_no_memory},
};

int main(void)
{
	bodies = vectors_open("chunked.json");
	int status = unit_run("http/chunk", tests, sizeof(tests) / sizeof(tests[0]));
	json_decref(bodies);
	return status;
}
