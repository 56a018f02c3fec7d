// SPDX-License-Identifier: Apache-2.0
// A seam stands before every atomic store, and wherever PORTOLAN_SEAM() is written. In builds with
// PORTOLAN_SEAMS a crash test can have this process killed at the n-th seam it reaches, or have a schedule
// run there; in all other builds a seam is nothing.
#pragma once
#include <cstdint>

namespace portolan::sync {

#ifdef PORTOLAN_SEAMS
void seam();
// The process kills itself (SIGKILL) when its threads have passed `count` more seams; 0 turns this off.
void kill_at_seam(std::uint64_t count);
// Seams passed since the process began or since the last kill_at_seam.
std::uint64_t seams_passed();
// Tests: called at each seam instead of counting; nullptr turns this off.
void set_seam_hook(void (*hook)());
#else
inline void seam() {}
#endif

}  // namespace portolan::sync

#define PORTOLAN_SEAM() ::portolan::sync::seam()
