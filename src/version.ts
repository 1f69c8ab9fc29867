/** The version of this build; a package check holds it to package.json. */
export const version = "0.1.0";
