/* The journal on disk, byte by byte. Everything the daemon has ever acknowledged is in these files.
 *
 * STATE/journal/
 *
 *     identity                          whose journal this is, text
 *     lock                              empty; the daemon holds a write lock on it while it lives
 *     tip                               how far everything is durable, 64 bytes
 *     0000000000000000-00000000.raw     entries; 16 hexadecimal digits of the first index,
 *                                       8 of a counter
 *     prepared-00000000.tmp             zeroed, not yet in use; deleted at the next start
 *
 * Numbers are little endian, except the length in front of an entry. Every CRC is CRC-32C
 * (base/crc32c.h).
 *
 * IDENTITY
 *
 * Five lines, each ends in a newline; the CRC is over all the bytes before its line, 8 hexadecimal
 * digits:
 *
 *     tlscribe journal 1
 *     origin audit.example
 *     node edge-1
 *     epoch 1
 *     crc32c 1b2c3d4e
 *
 * The log is named "<origin>/<node>/<epoch>". A first line with a larger number is a newer format
 * and is refused, and so is another origin or node: two logs must never share numbers.
 *
 * RAW FILES
 *
 * Entries are numbered from 0 without end. 65,536 of them are a segment (one full level-1 tile of a
 * tlog tree); a raw file holds entries of one segment only, and a segment is as many raw files as
 * it takes. In the order of (first index, counter) the files hold the log: an entry of a file
 * counts only if its index is below the first index of the next file. So a file whose last
 * fdatasync failed needs no repair: its batch was written again to a new file, and the new file's
 * first index cuts off what may stand behind the last durable commit of the old one. The counter is
 * 0 but for files with the same first index: then none of the earlier ones holds anything that
 * counts.
 *
 * A file has its full size from the start and is zero behind its last commit (a file that was ended
 * properly is cut to its used size instead). It gets its name after its header and its first commit
 * are durable, so a named file without a valid header is damaged.
 *
 *     header, 64 bytes
 *      0   8  magic "tlscrib" 0x0a
 *      8   4  format version, 1
 *     12   4  flags: bit 0, there is a previous file
 *     16   8  first index
 *     24   4  counter
 *     28   4  counter of the previous file
 *     32   8  first index of the previous file
 *     40   8  end of the previous file: offset behind its last durable commit
 *     48   8  salt, random
 *     56   4  zero
 *     60   4  CRC of bytes 0-59, in this place in every version to come
 *
 * COMMITS
 *
 * Behind the header stand commits without a gap. Each is what one fdatasync made durable.
 *
 *     head, 40 bytes
 *      0   4  magic 0x54494d43 ("CMIT")
 *      4   4  bytes of entries, at most 4 MiB
 *      8   8  index of the first entry
 *     16   4  count of entries, 1-65,536
 *     20   4  flags, zero
 *     24   8  durable: everything in this file before this offset was durable when this
 *            commit was written
 *     32   4  zero
 *     36   4  CRC of the 8 bytes of the header's salt, bytes 0-35 and the entries
 *     entries, each
 *      0   2  length, BIG endian, as in a tlog-tiles entry bundle; 1-65,535
 *      2      the bytes
 *
 * The salt keeps a block that is left from an earlier life of the same disk blocks from being taken
 * for a commit. The end of a file is where no valid commit begins. Whether that is the tail that a
 * crash tore off, or damage, is told by what was recorded as durable: bytes below the `durable` of
 * any later valid commit, below the end of the file that the next file's header names, or below the
 * tip, were durable once. If they are unreadable now, that is corruption.
 *
 * TIP
 *
 * Rewritten by one 64-byte write after each fdatasync and never synced in between: what is found
 * after a power cut is old at worst, never ahead. A reader never passes it while the daemon lives.
 *
 *      0   4  magic 0x50495443 ("CTIP")
 *      4   2  format version, 1
 *      6   2  flags: bit 0, the last run ended cleanly; bit 1, there is a file
 *      8   8  generation, one more each time
 *     16   8  first index of the file
 *     24   4  counter of the file
 *     28   4  zero
 *     32   8  offset in the file, behind the last durable commit
 *     40   8  next index: every entry below it is durable
 *     48   8  zero
 *     56   4  zero
 *     60   4  CRC of bytes 0-59
 *
 * Sealed segments, checkpoints and indexes will stand beside these files under names of their own;
 * readers skip names they do not know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define FORMAT_VERSION 1
#define FORMAT_DIR "journal"
#define FORMAT_IDENTITY "identity"
#define FORMAT_LOCK "lock"
#define FORMAT_TIP "tip"

#define SEGMENT_ENTRIES 65536u
#define ENTRY_MAX 65535u

#define RAW_HEADER_LEN 64u
#define RAW_NAME_LEN 29 /* 16 + "-" + 8 + ".raw" */
#define RAW_FILE_DEFAULT (16u << 20)
/* A header and a commit of one entry of the largest size, to a whole page. */
#define RAW_FILE_MIN 69632u
#define RAW_FILE_MAX (1u << 30)

#define COMMIT_HEAD_LEN 40u
#define COMMIT_ENTRIES_MAX (4u << 20)

#define TIP_LEN 64u
#define IDENTITY_MAX 1024u

/* The name of a raw file, as numbers. */
struct raw_key {
	uint64_t first;
	uint32_t counter;
};

struct raw_header {
	struct raw_key key;
	bool has_previous;
	struct raw_key previous;
	uint64_t previous_end;
	uint64_t salt;
};

struct commit_head {
	uint32_t bytes; /* of entries, behind the head */
	uint64_t first;
	uint32_t count;
	uint64_t durable;
	uint32_t crc;
};

struct tip {
	bool clean;
	bool has_file;
	uint64_t generation;
	struct raw_key file;
	uint64_t offset;
	uint64_t next_index;
};

struct identity {
	char origin[256];
	char node[128];
	uint64_t epoch;
};

/* Below, at or above zero, as strcmp: the order of the log. */
int raw_key_compare(struct raw_key a, struct raw_key b);
void raw_name_format(char out[static RAW_NAME_LEN + 1], struct raw_key key);
/* False: not the name of a raw file. */
bool raw_name_parse(const char *name, struct raw_key *key);

void raw_header_encode(uint8_t out[static RAW_HEADER_LEN], const struct raw_header *h);
/* E_CORRUPT; E_VERSION: valid, but of a newer format. */
int raw_header_decode(struct raw_header *h, const uint8_t in[static RAW_HEADER_LEN]);

/* Writes the head, CRC included; `h->crc` is ignored. */
void commit_head_encode(uint8_t out[static COMMIT_HEAD_LEN], const struct commit_head *h,
                        uint64_t salt, struct slice entries);
/* Only what the head alone can tell: magic and bounds, for a commit at `offset` of file `key`. */
bool commit_head_decode(struct commit_head *h, const uint8_t in[static COMMIT_HEAD_LEN],
                        struct raw_key key, uint64_t offset);
/* The CRC, and that the entries fill the commit exactly. */
bool commit_check(const struct commit_head *h, const uint8_t head[static COMMIT_HEAD_LEN],
                  uint64_t salt, struct slice entries);

void tip_encode(uint8_t out[static TIP_LEN], const struct tip *t);
/* E_CORRUPT, E_VERSION. */
int tip_decode(struct tip *t, const uint8_t in[static TIP_LEN]);

/* Writes the file's text; its length, or 0: does not fit. */
size_t identity_encode(char *out, size_t size, const struct identity *id);
/* E_CORRUPT, E_VERSION. */
int identity_decode(struct identity *id, struct slice text);
/* An origin or a node that can be written: 1 to `max` printable bytes without spaces. */
bool identity_name_valid(const char *name, size_t max);
