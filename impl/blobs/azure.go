//go:build !noazure

package blobs

import _ "gocloud.dev/blob/azureblob" // azblob:// URLs; 3 MB of the program
