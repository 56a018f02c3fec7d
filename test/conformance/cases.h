// SPDX-License-Identifier: Apache-2.0
// Hand-written cases: each says what Linux answers, and is put to every backend that there is.
#pragma once
#include <gtest/gtest.h>

#include <memory>

#include "arena.h"
#include "backend.h"
#include "uapi.h"
#include "world.h"

namespace portolan::conformance {

void set_case_backends(Backend* kernel, Backend* portolan);
Backend* case_backend(std::string_view name);

}  // namespace portolan::conformance
