package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Hosts builds the programs that run candidates, each when it is first needed, and starts them. Its
// methods may be called from any goroutine.
type Hosts struct {
	dir string

	mu     sync.Mutex // guards builds
	builds map[string]*build
}

// NewHosts returns Hosts that keep their programs in a temporary directory until Close.
func NewHosts() (*Hosts, error) {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return nil, err
	}
	return HostsIn(dir), nil
}

// HostsIn returns Hosts that keep their programs in a directory of the caller's, and use those that
// are there: so processes can share them.
func HostsIn(dir string) *Hosts { return &Hosts{dir: dir, builds: map[string]*build{}} }

// Close removes the programs. Stop the candidates first.
func (h *Hosts) Close() error { return os.RemoveAll(h.dir) }

// Config is what a candidate is told.
type Config struct {
	// Connect is the ensemble, as host:port,...
	Connect string
	// Path is the election's znode; peers of all kinds create it when it is missing.
	Path string
	// ID is the candidate's: the data of its znode.
	ID string
	// Timeout is the session timeout to ask for; default 2 s.
	Timeout time.Duration
	// Beat is the time between two beats of a leader; default 10 ms.
	Beat time.Duration
	// Auth, if set, is user:password of a digest: ours, kazoo's Election excepted, then lets nobody
	// else at its znodes; Curator and kazoo only prove who they are.
	Auth string
	// Elections, if more than 1, is in how many the candidate stands with one session: at Path/0,
	// Path/1 and so on. Such a candidate tells only when it is elected, with the path as Line.Node;
	// it obeys no command, and does without Auth and Args. Kinds on etcd cannot.
	Elections int
	// Args are further flags for one of ours.
	Args []string
	// OnLine, if set, gets each line as it comes, from one goroutine.
	OnLine func(Line)
}

// Start starts a candidate of a kind. Kill it, or tell it to quit, in the end; it also ends, as if
// killed, when this process ends.
func (h *Hosts) Start(ctx context.Context, k Kind, cfg Config) (*Peer, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	if cfg.Beat == 0 {
		cfg.Beat = 10 * time.Millisecond
	}
	argv, err := h.Command(ctx, k, cfg)
	if err != nil {
		return nil, err
	}
	return start(k, cfg, argv)
}

// compile makes the class of that name with these jars, below dir, and returns where java finds it.
func (h *Hosts) compile(ctx context.Context, class, dir string, jars []string) (classpath string, err error) {
	classpath = strings.Join(append(jars, filepath.Join(h.dir, dir)), string(os.PathListSeparator))
	return classpath, h.build(ctx, filepath.Join(dir, class+".class"), "javac", "-cp", classpath, "-d", filepath.Join(h.dir, dir),
		filepath.Join(sources, "hosts", class+".java"))
}

// Command returns the command line of a candidate, with a program that has been built. It needs all
// of cfg but what is optional.
func (h *Hosts) Command(ctx context.Context, k Kind, cfg Config) ([]string, error) {
	recipe, _ := k.recipe()
	args := []string{string(recipe), cfg.Connect, cfg.Path, cfg.ID, strconv.FormatInt(cfg.Timeout.Milliseconds(), 10)}
	if cfg.Elections > 1 {
		argv, err := h.many(ctx, k)
		return append(append(argv, args...), strconv.Itoa(cfg.Elections)), err
	}
	args = append(args, strconv.FormatInt(max(1, cfg.Beat.Milliseconds()), 10))
	if cfg.Auth != "" {
		args = append(args, cfg.Auth)
	}
	style, ours := k.style()
	switch {
	case k.java():
		argv, err := h.java(ctx, k, "Host", 128)
		return append(argv, args...), err
	case k.python():
		argv, err := h.python(ctx, k, "host.py")
		return append(argv, args...), err
	case k == ZkLock:
		exe := filepath.Join(h.dir, "zklock")
		return append([]string{exe}, args...), h.build(ctx, "zklock", "go", "build", "-o", exe, "./hosts/zklock")
	case k.OnEtcd():
		exe, err := h.etcd(ctx)
		return append([]string{exe}, args...), err
	case ours:
		exe := filepath.Join(h.dir, "candidate")
		argv := []string{exe, "-zk", cfg.Connect, "-path", cfg.Path, "-id", cfg.ID, "-style", style,
			"-timeout", cfg.Timeout.String(), "-beat", cfg.Beat.String()}
		if cfg.Auth != "" {
			argv = append(argv, "-auth", "digest:"+cfg.Auth)
		}
		return append(argv, cfg.Args...),
			h.build(ctx, "candidate", "go", "build", "-o", exe, "github.com/zkrecipe/zkrecipe/examples/candidate")
	}
	return nil, fmt.Errorf("peers: kind %q is unknown", k)
}

// many is the program of a candidate in many elections.
func (h *Hosts) many(ctx context.Context, k Kind) ([]string, error) {
	switch {
	case k.java():
		return h.java(ctx, k, "Many", 512)
	case k.python():
		return h.python(ctx, k, "many.py")
	case k == ZkLock || k.Ours():
		exe := filepath.Join(h.dir, "many")
		return []string{exe}, h.build(ctx, "many", "go", "build", "-o", exe, "./hosts/many")
	}
	return nil, fmt.Errorf("peers: kind %q cannot stand in many elections", k)
}

// classpath compiles a class of hosts with the release of Curator that k names, and returns where
// java finds it.
func (h *Hosts) classpath(ctx context.Context, k Kind, class string) (string, error) {
	jars, err := k.jars(ctx)
	if err != nil {
		return "", err
	}
	dir := "debian"
	if _, fetched := k.recipe(); fetched {
		dir = "curator-" + curatorRelease
	}
	return h.compile(ctx, class, dir, jars)
}

// java is a class of hosts as a program with so many MB of heap.
func (h *Hosts) java(ctx context.Context, k Kind, class string, heap int) ([]string, error) {
	classpath, err := h.classpath(ctx, k, class)
	// The flags trade peak speed for a fast start.
	return []string{"java", fmt.Sprintf("-Xmx%dm", heap), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-cp", classpath, class}, err
}

// python is a script of hosts as a program, with the release of kazoo that k names.
func (h *Hosts) python(ctx context.Context, k Kind, script string) ([]string, error) {
	argv := []string{python, filepath.Join(sources, "hosts", script)}
	if _, fetched := k.recipe(); fetched {
		path, err := KazooPath(ctx)
		return append([]string{"env", "PYTHONPATH=" + path}, argv...), err
	}
	return argv, nil
}

// build is the build of one program. A build that has failed is not tried again.
type build struct {
	once sync.Once
	err  error
}

// build builds a program once. Other programs can be built at the same time.
func (h *Hosts) build(ctx context.Context, program string, argv ...string) error {
	h.mu.Lock()
	b := h.builds[program]
	if b == nil {
		b = &build{}
		h.builds[program] = b
	}
	h.mu.Unlock()
	b.once.Do(func() {
		if _, err := os.Stat(filepath.Join(h.dir, program)); err == nil {
			return
		}
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = sources
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
	})
	return b.err
}
