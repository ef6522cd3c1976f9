#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

#include "images/image.h"

/*
 * Images for people and programs: one generic walk over the descriptor `d` of the image's records.
 * JSON: one object {"image":stem,"type":name,"records":[{"id":n,"value":{...}}...]} and a newline;
 * 64-bit numbers are plain numbers, bytes are hexadecimal text, enums are names. Text: one indented
 * line per value. Absent fields are left out. 0 or -errno (reported); -ENOENT when the set has no
 * such image (not reported).
 */
int image_print_json(struct image_set *s, const char *stem, const ProtobufCMessageDescriptor *d,
		     FILE *out);
int image_print_text(struct image_set *s, const char *stem, const ProtobufCMessageDescriptor *d,
		     FILE *out);
/* The one record of a file beside a set, in the same way. */
int image_print_single(const char *stem, const ProtobufCMessage *m, bool json, FILE *out);
