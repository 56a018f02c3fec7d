// SPDX-License-Identifier: Apache-2.0
// Statements of random programs about maps that hold no plain values. All leave R0 to R5 in disorder.
#pragma once
#include "bytecode.h"
#include "dice.h"

namespace portolan::conformance {

// A record is reserved, written to and given back; `kept` (R7 to R9) is used, and what comes after a NULL is
// at `exit`.
void reserve_record(Dice& dice, Bytecode& code, int kept, int number, int exit);
// `value` bytes at fp-128 are put out.
void put_out_record(Dice& dice, Bytecode& code);
// A queue: something in, something out, or a look; leaves a number in R0.
void use_queue(Dice& dice, Bytecode& code);
// An element of a map that is an element of a map; `kept` points to its value of 48 bytes.
void look_up_inner(Dice& dice, Bytecode& code, int kept, int exit);
// A dynptr at fp-152, of a record or of memory, or nearly so, and what may be done with one; `number` holds a
// number. What comes after a NULL is at `exit`.
void use_dynptr(Dice& dice, Bytecode& code, int number, int exit);
// Of an array without programs; the context is in R6. R0 is a number afterwards.
void call_nobody(Dice& dice, Bytecode& code);

}  // namespace portolan::conformance
