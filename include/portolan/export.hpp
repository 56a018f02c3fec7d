// SPDX-License-Identifier: Apache-2.0
#pragma once
#define PORTOLAN_EXPORT __attribute__((visibility("default")))
