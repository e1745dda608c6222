package cache

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/enum"
	"github.com/zkrecipe/zkrecipe/session"
)

// Depth is how far below its path a cache reaches.
type Depth int

const (
	// DepthTree: the znode and everything below it. The default.
	DepthTree Depth = iota
	// DepthNode: the znode alone.
	DepthNode
	// DepthChildren: the znode and its children.
	DepthChildren
)

// String returns the depth in lower case.
func (d Depth) String() string { return enum.Name(d, []string{"tree", "node", "children"}) }

// levels is how many levels below the path there are.
func (d Depth) levels() int {
	return []int{DepthTree: math.MaxInt, DepthNode: 0, DepthChildren: 1}[d]
}

// Config configures a cache. The zero value follows a whole tree.
type Config struct {
	// Depth is how far below its path the cache reaches: DepthTree by default.
	Depth Depth
	// Keep, when set, is asked about each znode below the path when it first appears, by its whole
	// path, by one goroutine at a time. It is asked again if the session ends before it has
	// answered. A znode that it rejects is not read, and those below it are not read either. It
	// must return at once: meanwhile the cache perhaps does not follow, and Fresh does not return.
	// Get, Snapshot, Status, [Cache.Close] and [session.Client.Close] do not wait for it, so it may
	// still run when Close has returned. With Keep the cache sets watches only on the znodes that
	// it keeps, so the server sends no events of the others.
	Keep func(path string) bool
	// MaxNodes is how many znodes the cache holds at most: 10,000 by default. When there are more,
	// the cache ends with a [TooLargeError] before it reads them.
	MaxNodes int
	// MaxBytes is how many bytes of data it holds at most, those of the paths included: 64 MiB by
	// default. When there are more, it ends with a [TooLargeError].
	MaxBytes int64
	// Recheck is how long a round of checks takes: 10 minutes by default. In a round each znode is
	// asked once whether it is as the cache has it, with a small read. So changes without an event,
	// such as a new permission to read, are found in that time. A negative value means never.
	Recheck time.Duration
}

// Defaults of Config.
const (
	defaultNodes   = 10_000
	defaultBytes   = 64 << 20
	defaultRecheck = 10 * time.Minute
)

var errNoClient = errors.New("cache: the client is nil or zero; want one from session.Open")

func (cfg Config) withDefaults() (Config, error) {
	cfg.MaxNodes = cmp.Or(cfg.MaxNodes, defaultNodes)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultBytes)
	cfg.Recheck = cmp.Or(cfg.Recheck, defaultRecheck)
	switch {
	case cfg.Depth < DepthTree || cfg.Depth > DepthChildren:
		return cfg, fmt.Errorf("cache: Config.Depth is %d; want DepthTree, DepthNode or DepthChildren", cfg.Depth)
	case cfg.MaxNodes < 0:
		return cfg, fmt.Errorf("cache: Config.MaxNodes is %d; want at least 1, or 0 for %d", cfg.MaxNodes, defaultNodes)
	case cfg.MaxBytes < 0:
		return cfg, fmt.Errorf("cache: Config.MaxBytes is %d; want at least 1, or 0 for %d", cfg.MaxBytes, defaultBytes)
	case cfg.Recheck > 0 && cfg.Recheck < time.Second:
		return cfg, fmt.Errorf("cache: Config.Recheck is %v; want at least 1s, 0 for %v, or a negative value for never", cfg.Recheck, defaultRecheck)
	}
	return cfg, nil
}

func checkPath(path string) error {
	if err := session.CheckPath(path); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

// TooLargeError ends a cache whose znodes are more than Config allows. What was read is dropped.
type TooLargeError struct {
	// Path is the znode that exceeded the bound, or whose children did.
	Path string
	// What is "znodes" or "bytes".
	What string
	// Have is how many there would be, as far as is known. Max is how many Config.MaxNodes or
	// Config.MaxBytes allows.
	Have, Max int64
}

// Error tells all of this, and names the setting of Config.
func (e *TooLargeError) Error() string {
	setting := "MaxNodes"
	if e.What == "bytes" {
		setting = "MaxBytes"
	}
	return fmt.Sprintf("cache: too large at %s: %d %s; Config.%s is %d", e.Path, e.Have, e.What, setting, e.Max)
}
