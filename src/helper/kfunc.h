// SPDX-License-Identifier: Apache-2.0
// The kernel functions that programs may call by BTF (kfuncs): what the verifier must know of each, and the
// function that stands for it here. kfuncs.def names each once. Programs name them by an id of the kernel's
// BTF; what counts here is the name that stands there.
#pragma once
#include <cstdint>
#include <string_view>

#include "helper/helper.h"

namespace portolan::helper {

enum class KfuncId : std::uint16_t {
#define KFUNC(name, returns, programs, flags, major, minor, args, note) name,
#define KFUNC_NOT_HERE(name, note) name,
#include "helper/kfuncs.def"
#undef KFUNC
#undef KFUNC_NOT_HERE
  kEnd
};

// Open-coded iterators: a struct on the program's stack, and three functions.
enum class IteratorKind : std::uint8_t { kNum, kBits };
const char* name_of(IteratorKind kind);     // "num"
std::uint32_t bytes_of(IteratorKind kind);  // of its struct; a multiple of 8

// What a kfunc wants in a register.
enum class KfuncArg : std::uint8_t {
  kNone,      // not an argument
  kScalar,    // a number
  kConstant,  // a number that is known when the program is loaded
  kIgnored,   // anything at all, even a register that was never written
  kCtx,       // the program's context
  kMap,
  kWork,        // a bpf_wq in a map value
  kMapOfWork,   // the map that the work before it lies in
  kFunc,        // of the program, that is called later
  kOwnProgram,  // whatever is there: it becomes the program itself
  kDynptr,      // one that holds something
  kDynptrOut,   // room on the stack for one
  kMem,         // bytes that may be read and written: as many as the next argument says
  kMemOrNull,
  kSize,       // of the memory before it
  kConstSize,  // the same, known when the program is loaded
  kIrqFlags,   // a word on the stack: save makes it, restore takes it back
  kIterator,   // on the stack: new makes it, next and destroy want one
};
struct KfuncArgument {
  KfuncArg kind = KfuncArg::kNone;
  IteratorKind iterator{};  // kIterator
};

enum class KfuncRet : std::uint8_t {
  kVoid,
  kInteger,
  kUntrusted,         // an object of the kernel's by the id of its type, whatever may be there
  kSliceOrNull,       // bytes of a dynptr: as many as the constant size says
  kIntPointerOrNull,  // to four bytes that nobody writes, NULL at the end of an iteration
  kWord,              // to eight bytes of the program's own
};

struct Kfunc {
  KfuncId id{};
  std::string_view name = {};   // "bpf_iter_num_new"
  Function function = nullptr;  // nullptr: not to be had here, `note` says why
  KfuncRet ret = KfuncRet::kVoid;
  KfuncArgument args[5] = {};
  std::uint64_t programs = 0;                                // a set of program_sets.h
  bool is_new = false, is_next = false, is_destroy = false;  // of an iterator
  bool trusts = false;                                       // no pointer that it gets may be NULL
  bool might_sleep = false;                                  // only for sleepable programs
  bool writes = false;                                       // kSliceOrNull: to what the program writes
  bool changes_packet = false;                               // pointers into it are gone after the call
  const char* note = "";
};

// By its name in BTF. nullptr: Linux 6.18 has no such function for programs, or it is of no use outside of
// it.
const Kfunc* find_kfunc(std::string_view name);
// Whether a call of it never comes back. nullptr: it is no kfunc.
inline bool throws(const Kfunc* kfunc) { return kfunc != nullptr && kfunc->id == KfuncId::throw_; }
bool is_available(const Kfunc& kfunc, abi::ProgType type, std::uint32_t expected_attach_type);
// Whether it is given a function to call. nullptr: it is no kfunc.
inline bool takes_function(const Kfunc* kfunc) {
  return kfunc != nullptr && kfunc->id == KfuncId::wq_set_callback_impl;
}

}  // namespace portolan::helper
