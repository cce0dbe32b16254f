#!/usr/bin/env bash
# A real Apache Kafka on this machine, for trying things out and for tests: one broker on loopback.
#
#   scripts/kafka.sh fetch            the jars, from Maven Central, into target/kafka/libs
#   scripts/kafka.sh run PORT DIR     a broker that keeps its data in DIR, until stdin ends or it is killed;
#                                     prints "ready HOST:PORT" when it takes clients
#   scripts/kafka.sh tool CLASS ...   one of Kafka's own tools
#
# KAFKA_LIBS names another directory of jars, KAFKA_PROPERTIES a file of further settings of the broker.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
libs=${KAFKA_LIBS:-$here/target/kafka/libs}

fail() {
  echo "kafka: $*" >&2
  exit 1
}

fetch() {
  cmp -s "$here/infra/kafka/pom.xml" "$libs/pom.xml" && return
  command -v mvn >/dev/null || fail "mvn is missing: install maven, then scripts/kafka.sh fetch"
  mkdir -p "$libs"
  rm -f "$libs"/*.jar
  mvn -q -B -f "$here/infra/kafka/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$libs" >&2 ||
    fail "the jars cannot be fetched; when Maven Central can be reached: scripts/kafka.sh fetch"
  cp "$here/infra/kafka/pom.xml" "$libs/pom.xml"
}

# A start in seconds matters more here than throughput in the long run.
jvm=(java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG:-error}" -cp "$libs/*")

# The controller listens beside the broker.
settings() {
  local port=$1 dir=$2
  cat <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
END
  [ -z "${KAFKA_PROPERTIES:-}" ] || cat "$KAFKA_PROPERTIES"
}

run() {
  local port=$1 dir=$2
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    fail "somebody listens to port $port already"
  fi
  mkdir -p "$dir"
  # Of a setting that stands twice the last counts.
  settings "$port" "$dir" >"$dir/broker.properties"
  if [ ! -e "$dir/data/meta.properties" ]; then
    "${jvm[@]}" kafka.tools.StorageTool format ${KAFKA_FORMAT:-} -t MkU3OEVBNTcwNTJENDM2Qg \
      -c "$dir/broker.properties" >"$dir/format.log" 2>&1 || fail "$(tail -3 "$dir/format.log")"
  fi
  "${jvm[@]}" kafka.Kafka "$dir/broker.properties" >"$dir/broker.log" 2>&1 </dev/null &
  broker=$!
  trap 'kill -9 $broker 2>/dev/null || true' EXIT
  echo "$broker" >"$dir/pid"
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 $broker 2>/dev/null || fail "the broker has ended: $(tail -3 "$dir/broker.log")"
    sleep 0.1
  done
  echo "ready 127.0.0.1:$port"
  # Until whoever started it goes away.
  cat >/dev/null
}

case "${1:-}" in
  fetch) fetch ;;
  run)
    fetch
    run "${2:-9092}" "${3:-$here/target/kafka/broker}"
    ;;
  tool)
    fetch
    shift
    exec "${jvm[@]}" "$@"
    ;;
  *) sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//' ;;
esac
