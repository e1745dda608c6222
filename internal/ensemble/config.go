package ensemble

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config describes an ensemble. The zero value is three servers with a tick of 500 ms, hence
// session timeouts from 1 s to 10 s. An external ensemble (ZK_SERVERS) is taken as it is.
type Config struct {
	// Version is the release of the servers, such as 3.9.5: one of those in package release, which
	// fetches it if it is not at hand. Default: what this package's documentation says.
	Version string
	// Servers is the number of servers, 1 (standalone) or more; default 3.
	Servers int
	// Observers is how many of the servers, the last ones, do not vote; default none.
	Observers int
	// Tick is tickTime; default 500 ms. The servers ping each other every half tick, and a session
	// timeout should be at least two ticks.
	Tick time.Duration
	// InitLimit and SyncLimit are in ticks; default 20 and 10 (5 s at the default tick). SyncLimit
	// is how long a follower that hears nothing of its leader goes on answering reads. When all
	// servers are frozen for longer than that, the followers leave their leader and follow it anew.
	// Before 3.8.5, and in 3.9.0 and 3.9.1, the ensemble may then never commit again: a learner
	// sends its acknowledgement of a pending proposal while it still owes the one of NEWLEADER, and
	// the leader takes the first for the second (Learner.syncWithLeader,
	// Leader.waitForNewLeaderAck).
	InitLimit, SyncLimit int
	// MinSessionTimeout and MaxSessionTimeout bound what a client is granted; default: the server's
	// own, 2 and 20 ticks.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// Sync lets the servers wait for the disk with each transaction, as they do by default
	// elsewhere.
	Sync bool
	// Secure gives every server a TLS port too (secureClientPort, Server.SecureAddr). The key store
	// and the rest go into Properties:
	// serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory and ssl.*.
	Secure bool
	// Debug lets every server's JVM listen for a debugger (Server.DebugAddr): see package hold.
	Debug bool
	// Properties are further lines of every zoo.cfg; they win over what this package writes. So
	// does PerServer over Properties, for server i (0, 1, ...).
	Properties map[string]string
	PerServer  func(i int) map[string]string
	// JVM holds further arguments for java, such as -Dname=value.
	JVM []string
	// Dir receives one directory per server (zoo.cfg, data, log) and is kept. Default: a new
	// temporary directory, removed by Close.
	Dir string
	// Host is the address server i listens on for clients, QuorumHost that for its peers; default
	// 127.0.0.1, and Host.
	Host, QuorumHost func(i int) string
	// Wrap rewrites the command line of server i, for example to put "ip netns exec" in front. The
	// wrapper must exec the server, not fork it, or the server outlives a killed test.
	Wrap func(i int, argv []string) []string
	// Log receives one line for each server started, killed, frozen or thawed; default none.
	Log io.Writer
}

func (c Config) withDefaults() Config {
	c.Servers = cmp.Or(c.Servers, 3)
	c.Tick = cmp.Or(c.Tick, 500*time.Millisecond)
	c.InitLimit = cmp.Or(c.InitLimit, 20)
	c.SyncLimit = cmp.Or(c.SyncLimit, 10)
	if c.Host == nil {
		c.Host = func(int) string { return "127.0.0.1" }
	}
	if c.QuorumHost == nil {
		c.QuorumHost = c.Host
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

func (c Config) check() error {
	if c.Servers < 1 || c.Servers*portsPerServer >= blockSize {
		return fmt.Errorf("ensemble: %d servers: want 1 to %d", c.Servers, (blockSize-1)/portsPerServer)
	}
	if c.Observers < 0 || c.Observers > 0 && c.Observers > c.Servers-2 {
		return fmt.Errorf("ensemble: %d observers of %d servers: two have to vote", c.Observers, c.Servers)
	}
	if c.Tick < time.Millisecond || c.InitLimit < 1 || c.SyncLimit < 1 {
		return fmt.Errorf("ensemble: tick %v, initLimit %d, syncLimit %d: want 1 ms or more and 1 or more",
			c.Tick, c.InitLimit, c.SyncLimit)
	}
	return nil
}

// zooCfg returns the text of server i's zoo.cfg.
func (c Config) zooCfg(i int, dir string, ports []serverPorts) string {
	lines := map[string]string{
		"dataDir":                filepath.Join(dir, "data"),
		"clientPort":             strconv.Itoa(ports[i].client),
		"clientPortAddress":      c.Host(i),
		"tickTime":               millis(c.Tick),
		"initLimit":              strconv.Itoa(c.InitLimit),
		"syncLimit":              strconv.Itoa(c.SyncLimit),
		"4lw.commands.whitelist": "*",
		"admin.enableServer":     "false",
		// The default of 60 clients per address is soon used up when all of them are on loopback.
		"maxClientCnxns": "0",
		// Processes are killed here, machines are not: what reached the page cache survives. And 64
		// MB for each new transaction log is a lot for a test.
		"forceSync":    "no",
		"preAllocSize": "1024",
	}
	if c.Sync {
		lines["forceSync"] = "yes"
	}
	if c.MinSessionTimeout > 0 {
		lines["minSessionTimeout"] = millis(c.MinSessionTimeout)
	}
	if c.MaxSessionTimeout > 0 {
		lines["maxSessionTimeout"] = millis(c.MaxSessionTimeout)
	}
	if c.Secure {
		lines["secureClientPort"] = strconv.Itoa(ports[i].secure)
		lines["secureClientPortAddress"] = c.Host(i)
	}
	if c.Servers > 1 {
		for n, p := range ports {
			line := net.JoinHostPort(c.QuorumHost(n), strconv.Itoa(p.quorum)) + ":" + strconv.Itoa(p.election)
			if n >= c.Servers-c.Observers {
				line += ":observer"
			}
			lines[fmt.Sprintf("server.%d", n+1)] = line
		}
	}
	for k, v := range c.Properties {
		lines[k] = v
	}
	if c.PerServer != nil {
		for k, v := range c.PerServer(i) {
			lines[k] = v
		}
	}
	return render(lines)
}

// debugHost is where a JVM listens for its debugger: anybody who reaches that can make it do
// anything.
const debugHost = "127.0.0.1"

// jvm returns the arguments of a server's JVM beside our own.
func (c Config) jvm(debug string) []string {
	if !c.Debug {
		return c.JVM
	}
	return append([]string{"-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,quiet=y,address=" + debug}, c.JVM...)
}

// write lays out server i's directory: zoo.cfg, myid and the logging set-up, which sends warnings
// and the essential of the rest to stderr whichever backend the release brings.
func (c Config) write(i int, dir string, ports []serverPorts) error {
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return err
	}
	files := map[string]string{
		"zoo.cfg":          c.zooCfg(i, dir, ports),
		"data/myid":        strconv.Itoa(i+1) + "\n",
		"logback.xml":      logbackXML,
		"log4j.properties": log4jProperties,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func render(lines map[string]string) string {
	var out []string
	for k, v := range lines {
		out = append(out, k+"="+v+"\n")
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

const logbackXML = `<configuration>
  <appender name="E" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="E"/></root>
</configuration>
`

const log4jProperties = `log4j.rootLogger=INFO, E
log4j.appender.E=org.apache.log4j.ConsoleAppender
log4j.appender.E.Target=System.err
log4j.appender.E.layout=org.apache.log4j.PatternLayout
log4j.appender.E.layout.ConversionPattern=%d{HH:mm:ss.SSS} %-5p %c{1} - %m%n
`
