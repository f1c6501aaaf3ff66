package node

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// entry is one file, directory or link of the machine.
type entry struct {
	mode fs.FileMode
	text string
	link string
	size int64
}

// tree is the machine's file system at one moment. It is made anew for each call: what it shows follows from the
// machine's state, and nothing but that can then be stale.
type tree map[string]entry

func (t tree) dir(name string) {
	for name = path.Clean(name); ; name = path.Dir(name) {
		if _, exists := t[name]; exists {
			return
		}

		t[name] = entry{mode: fs.ModeDir | 0o755, size: 4096}

		if name == "/" {
			return
		}
	}
}

func (t tree) file(name, text string) {
	t.dir(path.Dir(name))

	size := int64(len(text))

	switch {
	case strings.HasPrefix(name, "/proc/"):
		size = 0
	case strings.HasPrefix(name, "/sys/"):
		size = 4096
	}

	t[name] = entry{mode: 0o644, text: text, size: size}
}

func (t tree) symlink(name, target string) {
	t.dir(path.Dir(name))
	t[name] = entry{mode: fs.ModeSymlink | 0o777, link: target, size: int64(len(target))}
}

func (t tree) device(name string) {
	t.dir(path.Dir(name))
	t[name] = entry{mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}
}

func (t tree) remove(name string) {
	for other := range t {
		if other == name || strings.HasPrefix(other, name+"/") {
			delete(t, other)
		}
	}
}

// resolve follows the links of a path, the last one too when asked.
func (t tree) resolve(name string, last bool) (string, bool) {
	done := "/"
	rest := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")

	for hops := 0; len(rest) > 0; {
		step := rest[0]
		rest = rest[1:]

		if step == "" {
			continue
		}

		next := path.Join(done, step)

		found, exists := t[next]
		if !exists {
			return path.Join(append([]string{next}, rest...)...), false
		}

		if found.link != "" && (len(rest) > 0 || last) {
			if hops++; hops > 40 {
				return next, false
			}

			target := found.link
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(next), target)
			}

			done, rest = "/", append(strings.Split(strings.Trim(target, "/"), "/"), rest...)

			continue
		}

		done = next
	}

	_, exists := t[done]

	return done, exists
}

// lookup is stat: the entry that a path leads to.
func (t tree) lookup(name string) (entry, bool) {
	found, exists := t.resolve(name, true)

	return t[found], exists
}

// children are the names in a directory, in order.
func (t tree) children(dir string) []string {
	prefix := strings.TrimSuffix(dir, "/") + "/"

	var out []string

	for name := range t {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && !strings.Contains(rest, "/") {
			out = append(out, rest)
		}
	}

	slices.Sort(out)

	return out
}

// Read is the content of a regular file. The error is an *os.PathError of stat, or ErrNotRegular.
func (m *Machine) Read(name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	found, exists := m.tree().lookup(name)

	switch {
	case !exists:
		return "", &os.PathError{Op: "stat", Path: name, Err: noEntry{}}
	case !found.mode.IsRegular():
		return "", ErrNotRegular
	}

	return found.text, nil
}

type noEntry struct{}

func (noEntry) Error() string        { return "no such file or directory" }
func (noEntry) Is(target error) bool { return target == fs.ErrNotExist }

type notRegular struct{}

func (notRegular) Error() string { return "path must be a regular file" }

// ErrNotRegular is Talos's error for everything that cannot be read.
var ErrNotRegular error = notRegular{}

// Item is one line of a listing.
type Item struct {
	FullPath, RelPath, Link string
	Mode                    fs.FileMode
	Size                    int64
}

// List walks a directory: its root first, depth levels below (0 is one level, -1 all).
func (m *Machine) List(root string, depth int) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	t := m.tree()

	// A link as the root is followed, as one in the middle is.
	real, exists := t.resolve(root, true)
	if !exists {
		return nil, &os.PathError{Op: "lstat", Path: root, Err: noEntry{}}
	}

	// Through a link in the middle Talos keeps the path as it was asked for.
	shown := path.Clean(root)
	if parent, ok := t.resolve(root, false); ok && t[parent].link != "" {
		shown = real
	}

	if !t[real].mode.IsDir() {
		return []Item{t.item(real, shown, path.Base(shown))}, nil
	}

	var out []Item

	var walk func(real, relative string, level int)
	walk = func(real, relative string, level int) {
		out = append(out, t.item(real, path.Join(shown, relative), relative))

		if !t[real].mode.IsDir() || (depth >= 0 && level > 0 && level >= max(depth, 1)) {
			return
		}

		for _, name := range t.children(real) {
			walk(path.Join(real, name), path.Join(relative, name), level+1)
		}
	}

	walk(real, ".", 0)

	return out, nil
}

func (t tree) item(real, shown, relative string) Item {
	e := t[real]

	return Item{FullPath: shown, RelPath: relative, Link: e.link, Mode: e.mode, Size: e.size}
}
