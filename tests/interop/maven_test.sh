#!/usr/bin/env bash
# A Maven project crosses: mvn builds it from the mirror, where there is no network (label: online).
# maven_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH
# Exit status 77: there is no mvn with a compiler here, or its repository cannot be had.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
command -v mvn > /dev/null && command -v javac > /dev/null || skip "there is no mvn, or no javac"
mkdir -p "$work/stack/app/src/main/java" "$work/home"
cd "$work/stack"
printf '[stack]\nname = "java"\n\n[maven.app]\nrepository = "m2"\nproject = "app/pom.xml"\n' > liftlock.toml
release=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
cat > app/pom.xml <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example.test</groupId>
  <artifactId>app</artifactId>
  <version>1.0</version>
  <properties>
    <maven.compiler.source>$release</maven.compiler.source>
    <maven.compiler.target>$release</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>org.apache.commons</groupId><artifactId>commons-lang3</artifactId><version>[3.13,3.14.0]</version></dependency>
  </dependencies>
</project>
XML
cat > app/src/main/java/App.java <<'JAVA'
public class App {
    public static void main(String[] words) {
        System.out.println(org.apache.commons.lang3.StringUtils.capitalize("ada"));
    }
}
JAVA
mvn -B -q -f app/pom.xml "-Dmaven.repo.local=$PWD/m2" package > "$work/mvn.log" 2>&1 || { tail -5 "$work/mvn.log"; skip "the build does not work with a network either"; }
rm -rf app/target

cross java-1
files=$(find m2 -type f \( -name '*.jar' -o -name '*.pom' \) | wc -l)
[ "$(find "$work/medium/java-1/packages/maven" -type f | wc -l)" = "$files" ] || fail "not all of the $files files are in the bundle"
step "$files files of a local repository crossed"

out=$(low check) || fail "check: $out"
grep -q "suffice for mvn package without a network" <<< "$out" || fail "check says: $out"
[ ! -e app/target ] || fail "check wrote into the project"
mkdir "$work/gap" && cp -r app liftlock.toml m2 "$work/gap/" && rm "$work"/gap/m2/org/apache/commons/commons-lang3/3.14.0/*.jar
(
  cd "$work/gap"
  low lock --update maven.app > /dev/null && low fetch > /dev/null
  refused stack-incomplete low check
  grep -q "✗ \[maven.app\].*commons-lang3" <<< "$("$low_exe" --state "$low_state" check 2> /dev/null)" || fail "the artifact is not named"
)
step "mvn package from the stack's repository alone; a jar that is not there is found out"

out=$(cut_off '
  "$high_exe" --quiet --state "$high_state" render clients --client maven --base-url "$mirror" | sed -n "/<settings>/,\$p" > "$work/settings.xml"
  cd "$work/stack" && mvn -B -q -C -s "$work/settings.xml" -f app/pom.xml "-Dmaven.repo.local=$work/high-m2" package > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; exit 1; }
  java -cp "app/target/app-1.0.jar:$(find "$work/high-m2" -name "commons-lang3-*.jar" | paste -sd:)" App') || fail "mvn does not build from the mirror: $out"
[ "$out" = Ada ] || fail "the program says: $out"
grep -q liftlock "$work/high-m2/org/apache/commons/commons-lang3/3.14.0/_remote.repositories" || fail "it came from elsewhere"
tested maven Maven "$(mvn -B --version | sed -n 's/.*Apache Maven \([0-9.]*\).*/\1/p')"
step "mvn package from the mirror with strict checksums, without a route; the program runs"

rm -rf app/target "$work/high-m2"
out=$(cut_off 'cd "$work/stack" && cp -r "$work/medium/java-1/packages/maven" "$work/copy" &&
  printf "<settings><mirrors><mirror><id>bundle</id><mirrorOf>*</mirrorOf><url>file://%s</url></mirror></mirrors></settings>" "$work/copy" > "$work/bundle.xml"
  sed "s/\[3.13,3.14.0\]/3.14.0/" app/pom.xml > app/fixed.xml
  mvn -B -q -s "$work/bundle.xml" -f app/fixed.xml "-Dmaven.repo.local=$work/alone-m2" package > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; exit 1; }
  java -cp "app/target/app-1.0.jar:$(find "$work/alone-m2" -name "commons-lang3-*.jar" | paste -sd:)" App') || fail "mvn does not build from the bundle: $out"
[ "$out" = Ada ] || fail "built from the bundle alone: $out"
step "mvn package from the bundle alone"

rm -rf app/target
high export --maven-repository --to "$work/exported" > /dev/null
(cd "$work/exported" && sha256sum --quiet -c SHA256SUMS) || fail "SHA256SUMS of the exported repository"
out=$(cut_off 'cd "$work/stack"
  printf "<settings><mirrors><mirror><id>folder</id><mirrorOf>*</mirrorOf><url>file://%s</url></mirror></mirrors></settings>" "$work/exported" > "$work/exported.xml"
  mvn -B -q -C -s "$work/exported.xml" -f app/pom.xml "-Dmaven.repo.local=$work/exported-m2" package > "$work/mvn.log" 2>&1 || { cat "$work/mvn.log"; exit 1; }
  java -cp "app/target/app-1.0.jar:$(find "$work/exported-m2" -name "commons-lang3-*.jar" | paste -sd:)" App') || fail "mvn does not build from the exported repository: $out"
[ "$out" = Ada ] || fail "built from the exported repository: $out"
step "mvn package, a range of versions and strict checksums included, from a folder that export wrote"
