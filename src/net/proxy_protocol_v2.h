/* Numbers of version 2 (proxy-protocol.txt 2.2), for the two files that read and write it. */
#pragma once

#define PP2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define PP2_SIGNATURE_LEN 12
#define PP2_FIXED_LEN 16 /* signature, version and command, family and transport, length */

#define PP2_COMMAND_LOCAL 0
#define PP2_COMMAND_PROXY 1

#define PP2_FAMILY_UNSPEC 0
#define PP2_FAMILY_INET 1
#define PP2_FAMILY_INET6 2
#define PP2_FAMILY_UNIX 3
#define PP2_TRANSPORT_STREAM 1

#define PP2_LEN_INET 12
#define PP2_LEN_INET6 36
#define PP2_LEN_UNIX 216

#define PP2_TYPE_AUTHORITY 0x02
#define PP2_TYPE_CRC32C 0x03
#define PP2_TYPE_UNIQUE_ID 0x05
#define PP2_TYPE_SSL 0x20
#define PP2_SUBTYPE_SSL_VERSION 0x21
#define PP2_SUBTYPE_SSL_CN 0x22
#define PP2_SUBTYPE_SSL_CIPHER 0x23
#define PP2_SUBTYPE_SSL_SIG_ALG 0x24
#define PP2_SUBTYPE_SSL_KEY_ALG 0x25
#define PP2_SUBTYPE_SSL_CLIENT_CERT 0x28

#define PP2_CLIENT_SSL 0x01
#define PP2_CLIENT_CERT_CONN 0x02
#define PP2_CLIENT_CERT_SESS 0x04
