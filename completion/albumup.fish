function _albumup_completion
    set -l line (commandline -cp | string collect)
    set -l command (commandline -po)[1]
    for answer in (COMP_LINE=$line _ALBUMUP_COMPLETE=fish_complete $command 2>/dev/null)
        set -l parts (string split -m 2 \t -- $answer)
        switch $parts[1]
            case plain
                string join \t -- $parts[2..]
            case file
                for path in (__fish_complete_path $parts[2])
                    echo -- $parts[3]$path
                end
            case dir
                for path in (__fish_complete_directories $parts[2] '')
                    echo -- $parts[3]$path
                end
        end
    end
end

complete --no-files --command albumup --arguments '(_albumup_completion)'
