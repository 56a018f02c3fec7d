// SPDX-License-Identifier: Apache-2.0
#include "helper/call_chain.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/fault_copy.h"

// Where the object that this code is in begins and ends; the linker defines them.
extern "C" {
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}

namespace portolan::helper {
namespace {

bool is_inside(std::uint64_t address) {
  return address >= reinterpret_cast<std::uintptr_t>(__ehdr_start) &&
         address < reinterpret_cast<std::uintptr_t>(_end);
}

constexpr std::uint64_t kLargestFrame = 16 << 20;

struct Search {
  std::uint64_t address;
  abi::StackBuildId* found;
};

// The build ID among the notes of a segment.
bool find_build_id(const std::byte* notes, std::size_t size, abi::StackBuildId& found) {
  while (size >= sizeof(ElfW(Nhdr))) {
    const auto header = load_unaligned<ElfW(Nhdr)>(notes);
    const std::uint64_t name = round_up(header.n_namesz, 4), text = round_up(header.n_descsz, 4);
    if (name + text > size - sizeof header) return false;
    const std::byte* const begin = notes + sizeof header;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 && std::memcmp(begin, "GNU", 4) == 0 &&
        header.n_descsz != 0 && header.n_descsz <= sizeof found.build_id) {
      std::memcpy(found.build_id, begin + name, header.n_descsz);
      return true;
    }
    notes = begin + name + text;
    size -= sizeof header + name + text;
  }
  return false;
}

int look_into(dl_phdr_info* object, std::size_t, void* context) {
  const Search& search = *static_cast<Search*>(context);
  const std::span<const ElfW(Phdr)> segments(object->dlpi_phdr, object->dlpi_phnum);
  const auto holds = [&](const ElfW(Phdr) & segment) {
    return segment.p_type == PT_LOAD &&
           search.address - object->dlpi_addr - segment.p_vaddr < segment.p_memsz;
  };
  const auto segment = std::find_if(segments.begin(), segments.end(), holds);
  if (segment == segments.end()) return 0;
  for (const ElfW(Phdr) & notes : segments) {
    if (notes.p_type != PT_NOTE) continue;
    const auto* begin = reinterpret_cast<const std::byte*>(object->dlpi_addr + notes.p_vaddr);
    if (!find_build_id(begin, notes.p_memsz, *search.found)) continue;
    search.found->status = static_cast<std::int32_t>(abi::StackBuildIdStatus::kValid);
    search.found->offset_or_ip = search.address - object->dlpi_addr - segment->p_vaddr + segment->p_offset;
    break;
  }
  return 1;
}

}  // namespace

std::uint32_t call_chain(std::span<std::uint64_t> frames, const void* from) {
  const bool is_library = !is_inside(getauxval(AT_PHDR));
  bool is_ours = is_library;
  std::uint32_t count = 0;
  auto frame = reinterpret_cast<std::uint64_t>(from);
  while (count < frames.size()) {
    std::uint64_t record[2];  // the caller's frame, and where it goes on
    if (frame % 8 != 0 || !portolan_fault_copy(record, reinterpret_cast<const void*>(frame), sizeof record))
      break;
    if (record[1] == 0) break;
    is_ours = is_ours && is_inside(record[1]);
    if (!is_ours) frames[count++] = record[1];
    if (record[0] <= frame || record[0] - frame > kLargestFrame) break;
    frame = record[0];
  }
  return count;
}

abi::StackBuildId build_id_of(std::uint64_t address) {
  abi::StackBuildId found{};
  found.status = static_cast<std::int32_t>(abi::StackBuildIdStatus::kIp);
  found.offset_or_ip = address;
  Search search{address, &found};
  (void)dl_iterate_phdr(look_into, &search);
  return found;
}

}  // namespace portolan::helper
