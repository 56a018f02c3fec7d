/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the census programs keep in their maps. */
#ifndef CENSUS_H_
#define CENSUS_H_

#include <stdint.h>
#include <string.h>

/* files: the FNV-1a hash of a path -> the file's size in bytes. */
static inline uint64_t census_path_hash(const char* path) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *path != '\0'; ++path) hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
  return hash;
}

/* extensions: what stands behind the last dot of a name -> how many files, how many bytes. */
struct census_extension {
  char text[16]; /* zero-padded; longer ones are cut */
};
struct census_counters {
  uint64_t files;
  uint64_t bytes;
};

static inline struct census_extension census_extension_of(const char* path) {
  struct census_extension extension;
  memset(&extension, 0, sizeof extension);
  const char* slash = strrchr(path, '/');
  const char* name = slash == NULL ? path : slash + 1;
  const char* dot = strrchr(name, '.');
  const char* text = dot == NULL || dot == name ? "(none)" : dot + 1;
  strncpy(extension.text, text, sizeof extension.text - 1);
  return extension;
}

#endif
