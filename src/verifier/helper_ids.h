// SPDX-License-Identifier: Apache-2.0
// Helpers that the walk knows by number.
#pragma once
#include <cstdint>

namespace portolan::verifier {

enum HelperId : std::uint32_t {
  kMapLookup = 1,
  kMapUpdate = 2,
  kMapDelete = 3,
  kSmpProcessorId = 8,
  kTailCall = 12,
  kProbeReadStr = 45,
  kGetStack = 67,
  kMapPush = 87,
  kMapPop = 88,
  kSpinLock = 93,
  kSpinUnlock = 94,
  kProbeReadUserStr = 114,
  kProbeReadKernelStr = 115,
  kSkcToTcp6Sock = 136,
  kSkcToTcpSock = 137,
  kSkcToTcpTimewaitSock = 138,
  kSkcToTcpRequestSock = 139,
  kSkcToUdp6Sock = 140,
  kGetTaskStack = 141,
  kForEachMapElem = 164,
  kTimerSetCallback = 170,
  kGetFuncIp = 173,
  kSkcToUnixSock = 178,
  kLoop = 181,
  kSkcToMptcpSock = 196,
  kDynptrFromMem = 197,
  kRingbufReserveDynptr = 198,
  kDynptrWrite = 202,
  kUserRingbufDrain = 209,
};

}  // namespace portolan::verifier
