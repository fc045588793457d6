#!/bin/sh
# I11: the high executable holds no collector and no libcurl; nm and ldd show it. The low one must hold both, or this
# test would prove nothing.
set -eu
low=$1 high=$2
ldd "$low" | grep -q libcurl || { echo "the low executable does not link libcurl: this test looks for the wrong thing"; exit 1; }
! ldd "$high" | grep libcurl || { echo "the high executable links libcurl"; exit 1; }
nm -C "$low" | grep -q 'liftlock::Downloader::' || { echo "the low executable has no Downloader"; exit 1; }
for symbol in 'liftlock::Downloader::' 'Collector::resolve' 'curl_' 'liftlock::pack('; do
  if nm -C "$high" | grep -F "$symbol"; then echo "the high executable holds $symbol"; exit 1; fi
done
echo "the high executable holds no collector and no libcurl"
