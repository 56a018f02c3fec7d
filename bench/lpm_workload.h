// SPDX-License-Identifier: Apache-2.0
// Prefixes as routers have them, and the rows of longest prefix matching.
#pragma once
#include <array>
#include <map>
#include <unordered_set>

#include "bench/workload.h"

namespace portolan::bench {

// A key of an LPM trie, staged: zeros up to the next multiple of 8.
template <unsigned kBytes>
struct alignas(8) Prefix {
  static constexpr std::uint32_t kSize = 4 + kBytes;  // as the map sees it
  std::uint32_t length = 0;
  std::array<std::uint8_t, kBytes> data{};

  // The first 32 bits as a number of the machine.
  std::uint32_t number() const {
    return std::uint32_t{data[0]} << 24 | std::uint32_t{data[1]} << 16 | std::uint32_t{data[2]} << 8 |
           data[3];
  }
  bool operator==(const Prefix&) const = default;
};

// In per cent. IPv4: what is left to /8 … /21 is mostly /16 to /21, as in tables of the Internet.
template <unsigned kBytes>
std::vector<double> length_weights() {
  std::vector<double> weights(kBytes * 8 + 1);
  const std::map<unsigned, double> v4 = {
      {8, 0.002}, {9, 0.004}, {10, 0.01}, {11, 0.02}, {12, 0.06}, {13, 0.12}, {14, 0.2}, {15, 0.3},
      {16, 2.5},  {17, 1.5},  {18, 3},    {19, 5},    {20, 6.3},  {21, 7},    {22, 10},  {23, 8},
      {24, 55},   {25, 0.2},  {26, 0.2},  {27, 0.2},  {28, 0.1},  {29, 0.1},  {30, 0.1}, {32, 0.1}};
  const std::map<unsigned, double> v6 = {{28, 0.1}, {29, 2},   {30, 0.2}, {32, 20}, {33, 1},   {34, 1},
                                         {35, 1},   {36, 5},   {38, 1},   {40, 9},  {42, 2},   {44, 11},
                                         {45, 1},   {46, 2.2}, {47, 2},   {48, 40}, {56, 0.5}, {64, 1}};
  for (auto [length, weight] : kBytes == 4 ? v4 : v6) weights[length] = weight;
  return weights;
}

// All bits behind the length are `with`'s.
template <unsigned kBytes>
void fill_host(Prefix<kBytes>& prefix, std::mt19937_64* with) {
  for (unsigned i = 0; i < kBytes; ++i) {
    const unsigned kept = std::min(prefix.length > i * 8 ? prefix.length - i * 8 : 0u, 8u);
    const auto host = static_cast<std::uint8_t>(0xffu >> kept);
    const auto random = static_cast<std::uint8_t>(with == nullptr ? 0 : (*with)());
    prefix.data[i] = static_cast<std::uint8_t>((prefix.data[i] & ~host) | (random & host));
  }
}

// `count` different prefixes, always the same. IPv6: below 30,000 allocations of a /32 in 2000::/3.
template <unsigned kBytes>
const std::vector<Prefix<kBytes>>& prefixes(std::size_t count) {
  static std::map<std::size_t, std::vector<Prefix<kBytes>>> made;
  auto& list = made[count];
  if (!list.empty()) return list;
  std::mt19937_64 random(count);
  const auto weights = length_weights<kBytes>();
  std::discrete_distribution<std::uint32_t> lengths(weights.begin(), weights.end());
  const auto hash = [](const Prefix<kBytes>& prefix) {
    std::uint64_t words[(sizeof prefix) / 8], sum = 0;
    std::memcpy(words, &prefix, sizeof prefix);
    for (std::uint64_t word : words) sum = key(sum + word);
    return sum;
  };
  std::unordered_set<Prefix<kBytes>, decltype(hash)> seen(count, hash);
  while (list.size() < count) {
    Prefix<kBytes> prefix;
    fill_host(prefix, &random);
    if (kBytes == 16) {
      const std::uint64_t allocation = key(random() % 30'000);
      std::memcpy(prefix.data.data(), &allocation, 4);
      prefix.data[0] = static_cast<std::uint8_t>(0x20 | (prefix.data[0] & 0x1f));
    }
    prefix.length = lengths(random);
    fill_host<kBytes>(prefix, nullptr);
    if (seen.insert(prefix).second) list.push_back(prefix);
  }
  return list;
}

// Random addresses, each in a random one of the prefixes.
template <unsigned kBytes>
std::vector<Prefix<kBytes>> addresses(std::size_t prefix_count) {
  const auto& list = prefixes<kBytes>(prefix_count);
  std::mt19937_64 random(11);
  std::vector<Prefix<kBytes>> chosen(std::size_t{1} << 20);
  for (auto& address : chosen) {
    address = list[random() % list.size()];
    fill_host(address, &random);
    address.length = kBytes * 8;
  }
  return chosen;
}

template <class Table>
void lpm_lookup(benchmark::State& state) {
  std::int64_t found = 0;
  over<Table>(state, addresses<Table::kBytes>(static_cast<std::size_t>(state.range(0))),
              [&](Table& table, const auto& address) {
                std::uint64_t value = 0;
                found += table.find(address, value);
                benchmark::DoNotOptimize(value);
              });
  if (found != state.iterations()) state.SkipWithError("an address in one of the prefixes was not found");
}

template <class Table>
void lpm_delete_update(benchmark::State& state) {
  auto list = prefixes<Table::kBytes>(static_cast<std::size_t>(state.range(0)));
  std::ranges::shuffle(list, std::mt19937_64(seed_of(state)));
  over<Table>(state, list, [n = std::uint64_t{0}](Table& table, const auto& prefix) mutable {
    table.erase(prefix);
    table.update(prefix, ++n % 65536);
  });
}

}  // namespace portolan::bench
