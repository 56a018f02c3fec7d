// SPDX-License-Identifier: Apache-2.0
// Which names the kernel takes. Its character classes are those of Latin-1.
#pragma once

namespace portolan::btf {

bool is_printable(char c);
// A C identifier of at most 512 characters; dots are letters too.
bool is_identifier(const char* name);
// Of a section: not empty, printable, as long at most.
bool is_section_name(const char* name);

}  // namespace portolan::btf
