"""Deep Protection: clean adversarial images with a deep image prior, as five small Unix tools.

The house, from the street to the cellar; each floor knows only those below it:

    commands/      one file a tool: options in, a Stage out
    stages/        what a tool does to one Sample: the bridge from the pipe to a domain
    engine/        where a Stage runs
    pipe/          what flows (Sample), and the one loop that runs every tool
    classifiers/   image -> class scores         }
    attacks/       image -> adversarial image    }  the domains: functions of tensors and plain values,
    prior/         image -> restored image       }  which know nothing of the pipe, and serve as a library:
    filters/       image -> filtered image       }  `from dptools.purifiers.dip import restore`
    evaluation/    records -> figures            }
    maps/          map -> text mask              }
"""
