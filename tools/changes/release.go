package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oasdiff/oasdiff/checker"
)

const (
	releasedName  = "openapi.json.gz"
	changelogName = "CHANGELOG.md"
	changelogHead = "# What changed in the document\n\nMade by `make release-document`. Versions are explained in README.\n"
)

// readReleased returns the released document as JSON, nil when there is none yet.
func readReleased(home string) ([]byte, error) {
	packed, err := os.ReadFile(filepath.Join(home, releasedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read released document: %w", err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack released document: %w", err)
	}
	document, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, fmt.Errorf("unpack released document: %w", err)
	}
	return document, nil
}

// writeReleased packs the document; the same document makes the same bytes.
func writeReleased(home string, document []byte) error {
	var compact, packed bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return fmt.Errorf("pack document: %w", err)
	}
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("pack document: %w", err)
	}
	if _, err := z.Write(compact.Bytes()); err != nil {
		return fmt.Errorf("pack document: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pack document: %w", err)
	}
	return os.WriteFile(filepath.Join(home, releasedName), packed.Bytes(), 0o644)
}

// changelog prints what changed since the release.
func changelog(out io.Writer, released, current []byte) error {
	if released == nil {
		_, err := fmt.Fprintln(out, "Nothing was released yet.")
		return err
	}
	c, err := compare(released, current)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, c.markdown())
	return err
}

// markdown lists the changes, those first that matter most.
func (c comparison) markdown() string {
	var text strings.Builder
	for _, part := range []struct {
		title string
		level checker.Level
	}{{"Clients can fail", checker.ERR}, {"Careless clients can fail", checker.WARN}, {"New or changed", checker.INFO}} {
		changes := c.of(part.level)
		if len(changes) == 0 {
			continue
		}
		fmt.Fprintf(&text, "\n### %s\n\n", part.title)
		for _, x := range changes {
			where := ""
			if x.where != "" {
				where = "`" + x.where + "`: "
			}
			fmt.Fprintf(&text, "- %s%s\n", where, x.what)
		}
	}
	if text.Len() == 0 {
		return "\nNothing that a client could see.\n"
	}
	return text.String()
}

// release replaces the released document and puts what changed on top of the changelog.
func release(out io.Writer, home string, released, current []byte, now time.Time) error {
	spec, err := loadSpec("current", current)
	if err != nil {
		return err
	}
	section := "\nThe first release.\n"
	if released != nil {
		c, err := compare(released, current)
		if err != nil {
			return err
		}
		if later, err := follows(c.from, c.to); err != nil || !later {
			return errors.Join(err, fmt.Errorf("%s is released already: raise info.version of %s", c.from, c.to))
		}
		if err := breaking(io.Discard, released, current); err != nil {
			return err
		}
		section = c.markdown()
	}
	if err := addToChangelog(home, "\n## "+spec.Version+", "+now.UTC().Format(time.DateOnly)+"\n"+section); err != nil {
		return err
	}
	if err := writeReleased(home, current); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "released %s\n", spec.Version)
	return err
}

func addToChangelog(home, section string) error {
	path := filepath.Join(home, changelogName)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read changelog: %w", err)
	}
	older := strings.TrimPrefix(string(before), changelogHead)
	return os.WriteFile(path, []byte(changelogHead+section+older), 0o644)
}
