//go:build !nogcs

package blobs

import _ "gocloud.dev/blob/gcsblob" // gs:// URLs; 21 MB of the program, and 23 MB of memory at rest
