// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "portolan/export.hpp"

namespace portolan {

// What was being done when something failed.
enum class Operation : std::uint8_t {
  kOpenRuntime,
  kCreate,
  kOpenPin,
  kFromFd,
  kLookup,
  kUpdate,
  kErase,
  kTake,
  kIterate,
  kLookupBatch,
  kUpdateBatch,
  kEraseBatch,
  kTakeBatch,
  kPin,
  kFreeze,
  kInfo,
  kLoad,
  kTestRun,
  kDeclareHook,
  kWait,
};

// An errno as bpf(2) gives it, and a sentence for people. Cheap to make and to drop: the sentence is put
// together only when it is asked for. Thread-safe as an int is.
class Error {
 public:
  Error(Operation operation, int code) : code_(code), operation_(operation) {}
  // `detail` says what only this place knows ("the pinned map has 4-byte keys, the type 8-byte ones").
  PORTOLAN_EXPORT Error(Operation operation, int code, std::string detail);

  int code() const { return code_; }  // positive, as in <errno.h>
  Operation operation() const { return operation_; }
  // What only the place where it happened knew; empty if that is nothing.
  std::string detail() const { return detail_ == nullptr ? std::string() : *detail_; }
  // "update: no room, all max_entries elements are in use (E2BIG)".
  PORTOLAN_EXPORT std::string message() const;

 private:
  int code_;
  Operation operation_;
  std::shared_ptr<const std::string> detail_;
};

template <class T>
using Expected = std::expected<T, Error>;

}  // namespace portolan
