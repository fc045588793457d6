#include "bundle/spoken.hpp"

#include <array>
#include <string_view>

namespace liftlock {
namespace {

constexpr std::array<std::string_view, 256> k_words = {
    "acid",    "actor",   "agent",   "album",    "alpha",    "amber",   "angel",   "ankle",   "apple",   "april",
    "arena",   "armor",   "arrow",   "atlas",    "autumn",   "avenue",  "bacon",   "badge",   "bamboo",  "banjo",
    "barrel",  "basket",  "beacon",  "beaver",   "bishop",   "blanket", "blossom", "bottle",  "bracket", "bridge",
    "bronze",  "bucket",  "cabin",   "cactus",   "camel",    "candle",  "canyon",  "carbon",  "castle",  "cedar",
    "cello",   "chapel",  "cherry",  "circus",   "clover",   "cobalt",  "coffee",  "comet",   "copper",  "coral",
    "cotton",  "cradle",  "crater",  "cricket",  "crown",    "crystal", "curtain", "dagger",  "daisy",   "dancer",
    "delta",   "denim",   "desert",  "diamond",  "dolphin",  "donkey",  "dragon",  "drawer",  "eagle",   "easel",
    "echo",    "eclipse", "elbow",   "ember",    "emerald",  "engine",  "envoy",   "epoch",   "escort",  "ether",
    "fable",   "falcon",  "farmer",  "feather",  "fender",   "fiber",   "fiddle",  "filter",  "finger",  "flamingo",
    "flint",   "flower",  "forest",  "fossil",   "fountain", "fox",     "gadget",  "galaxy",  "garden",  "garlic",
    "gazelle", "geyser",  "ginger",  "glacier",  "goblet",   "gondola", "granite", "gravel",  "guitar",  "gypsum",
    "hammer",  "harbor",  "harvest", "hazel",    "helmet",   "hermit",  "heron",   "hickory", "hockey",  "honey",
    "horizon", "hotel",   "hunter",  "iceberg",  "igloo",    "indigo",  "insect",  "iris",    "island",  "ivory",
    "jacket",  "jaguar",  "jasmine", "jelly",    "jewel",    "jigsaw",  "jockey",  "jungle",  "kettle",  "kidney",
    "kingdom", "kitten",  "koala",   "ladder",   "lagoon",   "lantern", "laurel",  "lemon",   "lentil",  "leopard",
    "lilac",   "linen",   "lizard",  "lobster",  "locust",   "lotus",   "lumber",  "magnet",  "mango",   "maple",
    "marble",  "meadow",  "melon",   "mentor",   "meteor",   "mirror",  "mitten",  "monkey",  "mosaic",  "motor",
    "muffin",  "museum",  "napkin",  "nectar",   "needle",   "nickel",  "noodle",  "nugget",  "nutmeg",  "oasis",
    "object",  "ocean",   "olive",   "onion",    "opera",    "orbit",   "orchid",  "oregano", "otter",   "oxygen",
    "oyster",  "paddle",  "palace",  "panda",    "paper",    "parrot",  "pebble",  "pelican", "pencil",  "pepper",
    "piano",   "pigeon",  "pilot",   "planet",   "plaza",    "pocket",  "poppy",   "prism",   "pumpkin", "puppet",
    "puzzle",  "quartz",  "quiver",  "rabbit",   "radar",    "radish",  "raven",   "ribbon",  "river",   "robin",
    "rocket",  "rubber",  "saddle",  "saffron",  "salmon",   "sandal",  "satin",   "scarf",   "sequoia", "shadow",
    "shovel",  "silver",  "sketch",  "spider",   "sponge",   "spruce",  "squid",   "statue",  "sugar",   "sunset",
    "tango",   "temple",  "thimble", "thunder",  "tiger",    "timber",  "tobacco", "tomato",  "topaz",   "trumpet",
    "tulip",   "tunnel",  "turtle",  "umbrella", "urban",    "velvet"};

constexpr std::size_t k_spoken = 8;

}  // namespace

std::string spoken_words(const Digest& digest) {
  std::string out;
  for (const auto byte : digest.bytes().first(k_spoken)) {
    if (!out.empty()) out += ' ';
    out += k_words[byte];
  }
  return out;
}

}  // namespace liftlock
