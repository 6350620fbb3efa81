// Package output writes generated files.
package output

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes content to path and makes its folder. It leaves an identical file
// alone, so that make and the Go build cache see no change where there is none.
func Write(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
