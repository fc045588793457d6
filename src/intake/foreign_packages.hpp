// For tests: Python that makes what others pack, run in the folder where it is to lie.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.hpp"
#include "crypto/hash.hpp"

namespace liftlock {

/// The config's blob is {}.
inline std::string ollama_manifest(const std::string& hex_of_model, std::size_t size) {
  return dump_json({{"schemaVersion", 2},
                    {"mediaType", "application/vnd.docker.distribution.manifest.v2+json"},
                    {"config",
                     {{"mediaType", "application/vnd.docker.container.image.v1+json"},
                      {"digest", "sha256:" + sha256("{}").hex()},
                      {"size", 2}}},
                    {"layers",
                     {{{"mediaType", "application/vnd.ollama.image.model"},
                       {"digest", "sha256:" + hex_of_model},
                       {"size", size}}}}});
}

/// An OCI layout of one image, with these annotations of its entry in index.json.
inline std::string layout_script(const std::string& folder, const std::string& annotations) {
  return "import os, io, json, hashlib, tarfile\n"
         "f = '" +
         folder +
         "'; os.makedirs(f + '/blobs/sha256', exist_ok=True)\n"
         "def blob(b, t):\n"
         "  h = hashlib.sha256(b).hexdigest(); open(f + '/blobs/sha256/' + h, 'wb').write(b)\n"
         "  return {'mediaType': t, 'digest': 'sha256:' + h, 'size': len(b)}\n"
         "b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w'); i = tarfile.TarInfo('a'); i.size = 1\n"
         "t.addfile(i, io.BytesIO(b'x')); t.close()\n"
         "v = 'application/vnd.oci.image.'\n"
         "layer = blob(b.getvalue(), v + 'layer.v1.tar')\n"
         "config = blob(json.dumps({'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': "
         "[layer['digest']]}}).encode(), v + 'config.v1+json')\n"
         "m = blob(json.dumps({'schemaVersion': 2, 'mediaType': v + 'manifest.v1+json', 'config': config, 'layers': "
         "[layer]}).encode(), v + 'manifest.v1+json')\n"
         "m['annotations'] = " +
         annotations +
         "\n"
         "open(f + '/index.json', 'w').write(json.dumps({'schemaVersion': 2, 'manifests': [m]}))\n"
         "open(f + '/oci-layout', 'w').write('{\"imageLayoutVersion\": \"1.0.0\"}')\n";
}

/// Python: chart(name, version) is the bytes of a Helm chart.
inline std::string chart_script() {
  return "import gzip\n"
         "def chart(name, version):\n"
         "  b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w'); d = f'apiVersion: v2\\nname: {name}\\nversion: "
         "{version}\\n'\n"
         "  i = tarfile.TarInfo(name + '/Chart.yaml'); i.size = len(d); t.addfile(i, io.BytesIO(d.encode())); "
         "t.close()\n"
         "  return gzip.compress(b.getvalue(), mtime=0)\n";
}

/// A haul as `hauler store add image|chart|file` and `hauler store save` make one: everything has the kind "image", and
/// a signature has the name of its image.
inline std::string haul_script() {
  return layout_script("haul",
                       "{'kind': 'dev.hauler/image', 'org.opencontainers.image.ref.name': 'site/app:3.0', "
                       "'io.containerd.image.name': 'registry.example/site/app:3.0'}") +
         chart_script() +
         "def artifact(ref, config, layer, kind='dev.hauler/image', **more):\n"
         "  a = blob(json.dumps({'schemaVersion': 2, 'mediaType': v + 'manifest.v1+json', 'config': config, 'layers': "
         "[layer], "
         "**more}).encode(), v + 'manifest.v1+json')\n"
         "  a['annotations'] = {'kind': kind, 'org.opencontainers.image.ref.name': ref}\n"
         "  return a\n"
         "def titled(layer, title): return dict(layer, annotations={'org.opencontainers.image.title': title})\n"
         "c = blob(json.dumps({'name': 'demo', 'version': '1.2.3'}).encode(), "
         "'application/vnd.cncf.helm.config.v1+json')\n"
         "l = titled(blob(chart('demo', '1.2.3'), 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'), "
         "'demo-1.2.3.tgz')\n"
         "entries = [m, artifact('hauler/demo:1.2.3', c, l)]\n"
         "c = blob(b'{}', 'application/vnd.content.hauler.file.local.config.v1+json')\n"
         "l = titled(blob(b'a tool', 'application/vnd.content.hauler.file.layer.v1'), 'Tool.bin')\n"
         "entries.append(artifact('hauler/tool.bin:latest', c, l))\n"
         "c = blob(b'{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}', v + 'config.v1+json')\n"
         "l = blob(b'signed', 'application/vnd.dev.cosign.simplesigning.v1+json')\n"
         "entries.append(artifact('site/app:3.0', c, l, 'dev.hauler/sigs'))\n"
         "c = blob(b'{}', 'application/vnd.oci.empty.v1+json')\n"
         "l = blob(b'sbom', 'text/spdx+json')\n"
         "subject = {k: m[k] for k in ('mediaType', 'digest', 'size')}\n"
         "entries.append(artifact('site/app:3.0', c, l, 'dev.hauler/referrers/0', artifactType='text/spdx', "
         "subject=subject))\n"
         "def seal(): open('haul/index.json', 'w').write(json.dumps({'schemaVersion': 2, 'manifests': entries}))\n"
         "seal()\n";
}

/// Python: seal() writes checksums.txt and zarf.yaml of the package z.
inline std::string zarf_seal_script() {
  return "import hashlib, os\n"
         "def seal(yaml='kind: ZarfPackageConfig\\nmetadata:\\n  name: app\\n  version: 0.1.0\\n  aggregateChecksum: "
         "{0}\\ncomponents:\\n- name: app\\n'):\n"
         "  names = [os.path.relpath(os.path.join(d, n), 'z') for d, _, ns in os.walk('z') for n in ns]\n"
         "  c = ''.join(hashlib.sha256(open('z/' + n, 'rb').read()).hexdigest() + ' ' + n + '\\n' for n in "
         "sorted(names) "
         "if n not in ('zarf.yaml', 'checksums.txt'))\n"
         "  open('z/checksums.txt', 'w').write(c)\n"
         "  open('z/zarf.yaml', 'w').write(yaml.format(hashlib.sha256(c.encode()).hexdigest()))\n";
}

/// Python: such a package; component() writes one of its tars.
inline std::string zarf_script() {
  return layout_script("z/images", "{'org.opencontainers.image.base.name': 'registry.example/site/app:4.0'}") +
         chart_script() +
         "def tar(members):\n"
         "  b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w')\n"
         "  for n, d in members.items(): i = tarfile.TarInfo(n); i.size = len(d); t.addfile(i, io.BytesIO(d))\n"
         "  t.close(); return b.getvalue()\n"
         "os.makedirs('z/components')\n"
         "def component(name, members): open(f'z/components/{name}.tar', 'wb').write(tar({name + '/' + n: d for n, d "
         "in "
         "members.items()}))\n"
         "component('app', {'charts/demo-1.2.3.tgz': chart('demo', '1.2.3'), 'values/demo-1.2.3-0': b'a: 1', "
         "'files/0/tool': "
         "b'a tool', 'repos/x-1/HEAD': b'ref'})\n"
         "open('z/sboms.tar', 'wb').write(tar({'app.json': b'{}'}))\n" +
         zarf_seal_script() + "seal()\n";
}

}  // namespace liftlock
